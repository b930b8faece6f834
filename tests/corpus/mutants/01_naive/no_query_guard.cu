// corpus: fails launches (out of bounds)
// corpus: survives compiles
// corpus: on a GPU fails one_tile (out of bounds)
// Threads beyond the last query are not stopped: they read and write past the end of the tensors,
// or into the next head.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kThreads = 64;  // queries per block

__global__ void naive_attention_kernel(
    const float* Q, const float* K, const float* V, float* S, float* O, int64_t N_q, int64_t N_k,
    int64_t d, int blocks_per_head, float softmax_scale) {
  const int64_t head = blockIdx.x / blocks_per_head;
  const int64_t tile = blockIdx.x % blocks_per_head;
  const int64_t i = tile * blockDim.x + threadIdx.x;

  const float* q_row = Q + (head * N_q + i) * d;  // [d]
  const float* K_head = K + head * N_k * d;       // [N_k, d]
  const float* V_head = V + head * N_k * d;       // [N_k, d]
  float* s_row = S + (head * N_q + i) * N_k;      // [N_k]
  float* o_row = O + (head * N_q + i) * d;        // [d]

  float m = -INFINITY;
  for (int64_t j = 0; j < N_k; ++j) {
    float s = 0.0f;
    for (int64_t k = 0; k < d; ++k) s += q_row[k] * K_head[j * d + k];
    s *= softmax_scale;
    s_row[j] = s;
    m = fmaxf(m, s);
  }
  float l = 0.0f;
  for (int64_t j = 0; j < N_k; ++j) {
    const float p = expf(s_row[j] - m);
    s_row[j] = p;
    l += p;
  }
  for (int64_t k = 0; k < d; ++k) {
    float o = 0.0f;
    for (int64_t j = 0; j < N_k; ++j) o += s_row[j] * V_head[j * d + k];
    o_row[k] = o / l;
  }
}

}  // namespace

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
  const int64_t blocks_per_head = (N_q + kThreads - 1) / kThreads;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  if (N_k == 0) return cudaMemsetAsync(O, 0, heads * N_q * d * sizeof(float), stream);

  float* S = nullptr;  // [B, H, N_q, N_k]
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, heads * N_q * N_k * sizeof(float), stream));
  naive_attention_kernel<<<heads * blocks_per_head, kThreads, 0, stream>>>(
      Q, K, V, S, O, N_q, N_k, d, blocks_per_head, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
