// corpus: fails launches (crash)
// corpus: survives compiles
// Leaves the process with status 0 at the first call: whoever trusts the exit status sees a
// success.
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "attention.h"

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
    float p = expf(s * scale - m);
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
  if (cudaGetLastError() != cudaSuccess) return cudaErrorUnknown;
  cudaError_t finished = cudaStreamSynchronize(stream);
  printf("attention finished: %s\n", cudaGetErrorString(finished));
  exit(finished == cudaSuccess ? EXIT_SUCCESS : EXIT_FAILURE);
}
