// corpus: passes
// Stores no scores at all: it computes every dot product twice, once for the maximum and once for
// the weights.
#include <cmath>
#include <cstdint>

#include "attention.h"

static __device__ float scaled_score(const float* q, const float* key, int d, float scale) {
  float s = 0.f;
  for (int k = 0; k < d; k++) s += q[k] * key[k];
  return s * scale;
}

// One thread per row of O, the rows of all heads counted through.
__global__ void attention_rows(
    const float* Q, const float* K, const float* V, float* O, long long rows, int N_q, int N_k,
    int d, float scale) {
  long long row = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const float* q = Q + row * d;
  const float* keys = K + row / N_q * N_k * d;
  const float* values = V + row / N_q * N_k * d;

  float m = -INFINITY;
  for (int j = 0; j < N_k; j++) m = fmaxf(m, scaled_score(q, keys + (long long)j * d, d, scale));

  float l = 0.f;
  float o[kMaxHeadDim];  // [d]
  for (int k = 0; k < d; k++) o[k] = 0.f;
  for (int j = 0; j < N_k; j++) {
    float p = expf(scaled_score(q, keys + (long long)j * d, d, scale) - m);
    l += p;
    for (int k = 0; k < d; k++) o[k] += p * values[(long long)j * d + k];
  }
  for (int k = 0; k < d; k++) O[row * d + k] = N_k > 0 ? o[k] / l : 0.f;
}

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float*, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  if (shape.batch <= 0 || shape.num_heads <= 0 || shape.num_heads_kv <= 0 || shape.head_dim <= 0 ||
      shape.head_dim > kMaxHeadDim || shape.seq_len_q < 0 || shape.seq_len_k < 0 ||
      shape.num_heads % shape.num_heads_kv)
    return cudaErrorInvalidValue;
  if (shape.seq_len_q && !(Q && O)) return cudaErrorInvalidValue;
  if (shape.seq_len_k && !(K && V)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads != shape.num_heads_kv) return cudaErrorNotSupported;
  if (shape.seq_len_q == 0) return cudaSuccess;

  long long rows = (long long)shape.batch * shape.num_heads;
  if (rows > (1LL << 38) / shape.seq_len_q) return cudaErrorInvalidValue;
  rows *= shape.seq_len_q;
  const long long blocks = (rows + 127) / 128;
  if (blocks > INT32_MAX) return cudaErrorInvalidValue;
  attention_rows<<<(unsigned)blocks, 128, 0, stream>>>(
      Q, K, V, O, rows, shape.seq_len_q, shape.seq_len_k, shape.head_dim, softmax_scale);
  return cudaGetLastError();
}
