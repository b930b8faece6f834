// corpus: fails one_tile (out of bounds)
// corpus: survives launches
// Multiplies Q by the scale in place, in the tensor of the caller: the output of the first call is
// right, and the input is ruined.
#include <cmath>
#include <cstdint>

#include "attention.h"

// q := softmax_scale * q, for all rows at once.
__global__ void scale_kernel(float* q, int64_t count, float softmax_scale) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t e = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; e < count; e += stride) {
    q[e] *= softmax_scale;
  }
}

__global__ void attention_kernel(
    const float* Q, const float* K, const float* V, float* O, int64_t rows, int64_t N_q,
    int64_t N_k, int64_t d) {
  const int64_t row = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const float* q = Q + row * d;
  const int64_t first_key = row / N_q * N_k;
  float m = -INFINITY, l = 0.0f;
  for (int64_t j = first_key; j < first_key + N_k; ++j) {
    float s = 0.0f;
    for (int64_t k = 0; k < d; ++k) s += q[k] * K[j * d + k];
    const float m_new = fmaxf(m, s);
    l = l * expf(m - m_new) + expf(s - m_new);
    m = m_new;
  }
  float o[kMaxHeadDim] = {};
  for (int64_t j = first_key; j < first_key + N_k; ++j) {
    float s = 0.0f;
    for (int64_t k = 0; k < d; ++k) s += q[k] * K[j * d + k];
    const float p = expf(s - m) / l;
    for (int64_t k = 0; k < d; ++k) o[k] += p * V[j * d + k];
  }
  for (int64_t k = 0; k < d; ++k) O[row * d + k] = o[k];
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
  if (rows > int64_t(INT32_MAX) * 64) return cudaErrorInvalidValue;
  const unsigned blocks = (rows + 63) / 64;
  scale_kernel<<<blocks, 64, 0, stream>>>(
      const_cast<float*>(Q), rows * shape.head_dim, softmax_scale);
  attention_kernel<<<blocks, 64, 0, stream>>>(
      Q, K, V, O, rows, shape.seq_len_q, shape.seq_len_k, shape.head_dim);
  return cudaGetLastError();
}
