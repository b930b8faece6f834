// corpus: fails ragged (wrong values)
// corpus: survives many_tiles
// Keeps the scores in a local array of 1,024 floats and ignores the keys beyond it: right for every
// short sequence.
#include <cmath>
#include <cstdint>

#include "attention.h"

constexpr int kMaxKeys = 1024;  // "long enough"

__global__ void local_scores_kernel(
    const float* Q, const float* K, const float* V, float* O, int64_t rows, int64_t N_q,
    int64_t N_k, int64_t d, float softmax_scale) {
  const int64_t row = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const float* K_head = K + row / N_q * N_k * d;
  const float* V_head = V + row / N_q * N_k * d;
  const int keys = N_k < kMaxKeys ? N_k : kMaxKeys;
  float s[kMaxKeys];
  float m = -INFINITY;
  for (int j = 0; j < keys; ++j) {
    s[j] = 0.0f;
    for (int64_t k = 0; k < d; ++k) s[j] += Q[row * d + k] * K_head[j * d + k];
    s[j] *= softmax_scale;
    m = fmaxf(m, s[j]);
  }
  float l = 0.0f;
  for (int j = 0; j < keys; ++j) l += s[j] = expf(s[j] - m);
  for (int64_t k = 0; k < d; ++k) {
    float o = 0.0f;
    for (int j = 0; j < keys; ++j) o += s[j] * V_head[j * d + k];
    O[row * d + k] = keys > 0 ? o / l : 0.0f;
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
  const int64_t rows = int64_t(shape.batch) * shape.num_heads * shape.seq_len_q;
  if (rows == 0) return cudaSuccess;
  if (rows > int64_t(INT32_MAX) * 32) return cudaErrorInvalidValue;
  local_scores_kernel<<<(rows + 31) / 32, 32, 0, stream>>>(
      Q, K, V, O, rows, shape.seq_len_q, shape.seq_len_k, shape.head_dim, softmax_scale);
  return cudaGetLastError();
}
