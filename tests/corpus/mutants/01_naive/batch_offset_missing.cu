// corpus: fails batch_and_heads (wrong values)
// corpus: survives ragged
// K and V start at head h, whatever the batch is: every batch attends to the first one.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

constexpr int kTile = 64;  // queries per block

__global__ void attention_kernel(
    const float* Q, const float* K, const float* V, float* scores, float* O, AttentionShape shape,
    float scale) {
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t i = int64_t(blockIdx.x) * kTile + threadIdx.x;
  if (i >= N_q) return;
  // gridDim.y ends at 65,535, so a block may have to do more than one head.
  for (int64_t bh = blockIdx.y; bh < heads; bh += gridDim.y) {
    const int64_t b = bh / shape.num_heads;
    const int64_t h = bh % shape.num_heads;
    const float* q = Q + ((b * shape.num_heads + h) * N_q + i) * d;
    const float* k_head = K + h * N_k * d;
    const float* v_head = V + h * N_k * d;
    float* s = scores + (bh * N_q + i) * N_k;
    float* o = O + ((b * shape.num_heads + h) * N_q + i) * d;

    float row_max = -INFINITY;
    for (int64_t j = 0; j < N_k; ++j) {
      float dot = 0.0f;
      for (int64_t t = 0; t < d; ++t) dot += q[t] * k_head[j * d + t];
      s[j] = dot * scale;
      row_max = fmaxf(row_max, s[j]);
    }
    float row_sum = 0.0f;
    for (int64_t j = 0; j < N_k; ++j) {
      s[j] = expf(s[j] - row_max);
      row_sum += s[j];
    }
    for (int64_t t = 0; t < d; ++t) {
      float sum = 0.0f;
      for (int64_t j = 0; j < N_k; ++j) sum += s[j] * v_head[j * d + t];
      o[t] = sum / row_sum;
    }
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

  if (shape.seq_len_q == 0) return cudaSuccess;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const size_t rows = heads * shape.seq_len_q;
  if (shape.seq_len_k == 0) {
    return cudaMemsetAsync(O, 0, rows * shape.head_dim * sizeof(float), stream);
  }
  float* scores = nullptr;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&scores, rows * shape.seq_len_k * sizeof(float), stream));
  const dim3 grid(
      (shape.seq_len_q - 1) / kTile + 1, static_cast<unsigned>(std::min<int64_t>(heads, 65535)));
  attention_kernel<<<grid, kTile, 0, stream>>>(Q, K, V, scores, O, shape, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(scores, stream);
  return launched != cudaSuccess ? launched : freed;
}
