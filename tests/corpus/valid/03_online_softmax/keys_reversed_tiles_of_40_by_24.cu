// corpus: passes
// Blocks of 40 queries and tiles of 24 keys, from the last key to the first; the maximum begins as
// the first score that is seen instead of -inf.
#include <math.h>
#include <stdint.h>

#include "attention.h"

#define BR 40
#define BC 24

__global__ void reversed(
    const float *Q, const float *K, const float *V, float *O, float *LSE, int64_t Nq, int64_t Nk,
    int d, int tiles, float scale) {
  __shared__ float k_tile[BC * kMaxHeadDim], v_tile[BC * kMaxHeadDim];
  int64_t head = blockIdx.x / tiles;
  int64_t i = (int64_t)(blockIdx.x % tiles) * BR + threadIdx.x;
  int64_t row = head * Nq + i;
  float o[kMaxHeadDim], m = 0.0f, l = 0.0f;
  for (int k = 0; k < d; k++) o[k] = 0.0f;

  bool first = true;
  for (int64_t end = Nk; end > 0; end -= BC) {
    int64_t begin = end > BC ? end - BC : 0;
    int keys = (int)(end - begin);
    for (int n = threadIdx.x; n < keys * d; n += BR) {
      k_tile[n] = K[(head * Nk + begin) * d + n];
      v_tile[n] = V[(head * Nk + begin) * d + n];
    }
    __syncthreads();
    for (int c = keys - 1; i < Nq && c >= 0; c--) {
      float s = 0.0f;
      for (int k = 0; k < d; k++) s += Q[row * d + k] * k_tile[c * d + k];
      s *= scale;
      if (first || s > m) {
        float rescale = first ? 0.0f : expf(m - s);
        l *= rescale;
        for (int k = 0; k < d; k++) o[k] *= rescale;
        m = s;
        first = false;
      }
      float p = expf(s - m);
      l += p;
      for (int k = 0; k < d; k++) o[k] += p * v_tile[c * d + k];
    }
    __syncthreads();
  }
  if (i >= Nq) return;
  for (int k = 0; k < d; k++) O[row * d + k] = first ? 0.0f : o[k] / l;
  if (LSE) LSE[row] = first ? -INFINITY : m + logf(l);
}

extern "C" cudaError_t attention_forward(
    const float *Q, const float *K, const float *V, float *O, float *LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  if (shape.batch <= 0 || shape.num_heads <= 0 || shape.num_heads_kv <= 0)
    return cudaErrorInvalidValue;
  if (shape.head_dim <= 0 || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv) return cudaErrorInvalidValue;
  if (shape.seq_len_q && (!Q || !O)) return cudaErrorInvalidValue;
  if (shape.seq_len_k && (!K || !V)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads != shape.num_heads_kv) return cudaErrorNotSupported;
  int64_t heads = (int64_t)shape.batch * shape.num_heads;
  int64_t tiles = ((int64_t)shape.seq_len_q + BR - 1) / BR;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (tiles == 0) return cudaSuccess;
  reversed<<<(unsigned)(heads * tiles), BR, 0, stream>>>(
      Q, K, V, O, LSE, shape.seq_len_q, shape.seq_len_k, shape.head_dim, (int)tiles, softmax_scale);
  return cudaGetLastError();
}
