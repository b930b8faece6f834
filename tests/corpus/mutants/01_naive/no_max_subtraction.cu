// corpus: fails hard_numbers (not finite)
// corpus: survives head_dims
// expf of the raw score overflows above 88.7; scores of normally distributed inputs stay below 6.
#include <cmath>
#include <cstdint>

#include "attention.h"

// One thread per query and one pass over the keys: sum and weighted sum side by side.
__global__ void single_pass_kernel(
    const float* __restrict__ Q, const float* __restrict__ K, const float* __restrict__ V,
    float* __restrict__ O, int64_t rows, int64_t N_q, int64_t N_k, int d, float softmax_scale) {
  const int64_t row = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const float* k_row = K + row / N_q * N_k * d;
  const float* v_row = V + row / N_q * N_k * d;
  float o_reg[kMaxHeadDim] = {};
  float l = 0.0f;
  for (int64_t j = 0; j < N_k; ++j) {
    float s = 0.0f;
    for (int k = 0; k < d; ++k) s += Q[row * d + k] * k_row[k];
    const float p = expf(s * softmax_scale);
    l += p;
    for (int k = 0; k < d; ++k) o_reg[k] += p * v_row[k];
    k_row += d;
    v_row += d;
  }
  for (int k = 0; k < d; ++k) O[row * d + k] = N_k > 0 ? o_reg[k] / l : 0.0f;
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
  single_pass_kernel<<<(rows + 63) / 64, 64, 0, stream>>>(
      Q, K, V, O, rows, shape.seq_len_q, shape.seq_len_k, shape.head_dim, softmax_scale);
  return cudaGetLastError();
}
