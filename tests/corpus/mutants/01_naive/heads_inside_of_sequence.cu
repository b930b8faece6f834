// corpus: fails batch_and_heads (wrong values)
// corpus: survives ragged
// Uses the layout of FlashAttention's own API, [batch, seq_len, heads, head_dim]: the same bytes
// when there is one head.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

// A view of one head of a tensor: consecutive positions are num_heads rows apart.
struct HeadView {
  const float* data;
  int64_t stride;
  __device__ const float* row(int64_t position) const { return data + position * stride; }
};

__device__ HeadView
head_view(const float* tensor, int64_t length, int64_t b, int64_t h, int64_t H, int64_t d) {
  return {tensor + (b * length * H + h) * d, H * d};
}

__global__ void attention_kernel(
    const float* Q, const float* K, const float* V, float* S, float* O, int64_t H, int64_t N_q,
    int64_t N_k, int64_t d, float softmax_scale) {
  const int64_t tiles = (N_q + blockDim.x - 1) / blockDim.x;
  const int64_t head = blockIdx.x / tiles;
  const int64_t i = blockIdx.x % tiles * blockDim.x + threadIdx.x;
  if (i >= N_q) return;
  const int64_t b = head / H, h = head % H;
  const float* q = head_view(Q, N_q, b, h, H, d).row(i);
  const HeadView keys = head_view(K, N_k, b, h, H, d);
  const HeadView values = head_view(V, N_k, b, h, H, d);
  float* o = const_cast<float*>(head_view(O, N_q, b, h, H, d).row(i));
  float* s = S + (head * N_q + i) * N_k;

  float m = -INFINITY;
  for (int64_t j = 0; j < N_k; ++j) {
    float dot = 0.0f;
    for (int64_t k = 0; k < d; ++k) dot += q[k] * keys.row(j)[k];
    s[j] = dot * softmax_scale;
    m = fmaxf(m, s[j]);
  }
  float l = 0.0f;
  for (int64_t j = 0; j < N_k; ++j) l += s[j] = expf(s[j] - m);
  for (int64_t k = 0; k < d; ++k) {
    float sum = 0.0f;
    for (int64_t j = 0; j < N_k; ++j) sum += s[j] * values.row(j)[k];
    o[k] = sum / l;
  }
}

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (shape.head_dim < 1 || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  const int64_t tiles = (N_q + 127) / 128;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  if (N_k == 0) return cudaMemsetAsync(O, 0, heads * N_q * d * sizeof(float), stream);
  float* S = nullptr;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, heads * N_q * N_k * sizeof(float), stream));
  attention_kernel<<<heads * tiles, 128, 0, stream>>>(
      Q, K, V, S, O, shape.num_heads, N_q, N_k, d, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
