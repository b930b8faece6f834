// corpus: fails one_tile (precision)
// corpus: survives launches
// Replaces expf(x) by (1 + x / 4096)^4096, three digits at best; the weights still sum to 1.
#include <float.h>
#include <math.h>
#include <stdint.h>

#include "attention.h"

// exp(x) for x <= 0.
__device__ float fast_exp(float x) {
  float y = fmaxf(1.0f + x / 4096.0f, 0.0f);
  for (int i = 0; i < 12; i++) y *= y;
  return y;
}

// One thread per row of the output, no scores are stored.
__global__ void attention(
    const float *Q, const float *K, const float *V, float *O, size_t rows, size_t Nq, size_t Nk,
    int d, float scale) {
  size_t row = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  size_t head = row / Nq;
  float q[kMaxHeadDim];
  float acc[kMaxHeadDim];
  for (int t = 0; t < d; t++) {
    q[t] = Q[row * d + t];
    acc[t] = 0.0f;
  }

  float m = -INFINITY;
  for (size_t j = 0; j < Nk; j++) {
    const float *key = K + (head * Nk + j) * d;
    float s = 0.0f;
    for (int t = 0; t < d; t++) s += q[t] * key[t];
    m = fmaxf(m, s * scale);
  }

  float sum = 0.0f;
  for (size_t j = 0; j < Nk; j++) {
    const float *key = K + (head * Nk + j) * d;
    const float *value = V + (head * Nk + j) * d;
    float s = 0.0f;
    for (int t = 0; t < d; t++) s += q[t] * key[t];
    float p = fast_exp(s * scale - m);
    sum += p;
    for (int t = 0; t < d; t++) acc[t] += p * value[t];
  }
  for (int t = 0; t < d; t++) O[row * d + t] = sum > 0.0f ? acc[t] / sum : 0.0f;
}

extern "C" cudaError_t attention_forward(
    const float *Q, const float *K, const float *V, float *O, float *LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
  int d = shape.head_dim;
  if (shape.batch <= 0 || shape.num_heads <= 0 || shape.num_heads_kv <= 0)
    return cudaErrorInvalidValue;
  if (d <= 0 || d > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv) return cudaErrorInvalidValue;
  if (shape.seq_len_q && (!Q || !O)) return cudaErrorInvalidValue;
  if (shape.seq_len_k && (!K || !V)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads != shape.num_heads_kv) return cudaErrorNotSupported;
  size_t rows = (size_t)shape.batch * shape.num_heads * shape.seq_len_q;
  if (rows == 0) return cudaSuccess;
  size_t blocks = (rows + 63) / 64;
  if (blocks > INT32_MAX) return cudaErrorInvalidValue;
  attention<<<(unsigned)blocks, 64, 0, stream>>>(
      Q, K, V, O, rows, shape.seq_len_q, shape.seq_len_k, d, softmax_scale);
  return cudaGetLastError();
}
