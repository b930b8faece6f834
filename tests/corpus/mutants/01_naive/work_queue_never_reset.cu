// corpus: fails one_tile (never written)
// corpus: survives launches
// Blocks draw their rows from a counter in device memory that starts at 0 when the library is
// loaded and is never set back: the first call is right, every later one finds no work.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

__device__ unsigned long long next_row = 0;

__global__ void queue_kernel(
    const float* Q, const float* K, const float* V, float* O, unsigned long long rows, int64_t N_q,
    int64_t N_k, int64_t d, float softmax_scale) {
  for (;;) {
    const unsigned long long row = atomicAdd(&next_row, 1ull);
    if (row >= rows) return;
    const float* q = Q + row * d;
    const float* key = K + row / N_q * N_k * d;
    const float* value = V + row / N_q * N_k * d;
    float o[kMaxHeadDim] = {};
    float m = -INFINITY, l = 0.0f;
    for (int64_t j = 0; j < N_k; ++j, key += d, value += d) {
      float s = 0.0f;
      for (int64_t k = 0; k < d; ++k) s += q[k] * key[k];
      const float m_new = fmaxf(m, s * softmax_scale);
      const float rescale = expf(m - m_new);
      const float p = expf(s * softmax_scale - m_new);
      for (int64_t k = 0; k < d; ++k) o[k] = o[k] * rescale + p * value[k];
      l = l * rescale + p;
      m = m_new;
    }
    for (int64_t k = 0; k < d; ++k) O[row * d + k] = l > 0.0f ? o[k] / l : 0.0f;
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
  const unsigned long long rows = 1ull * shape.batch * shape.num_heads * shape.seq_len_q;
  if (rows == 0) return cudaSuccess;
  const unsigned blocks = rows < 1024 * 64 ? (rows + 63) / 64 : 1024;
  queue_kernel<<<blocks, 64, 0, stream>>>(
      Q, K, V, O, rows, shape.seq_len_q, shape.seq_len_k, shape.head_dim, softmax_scale);
  return cudaGetLastError();
}
