// corpus: passes
// Walks over the keys from the last to the first in every pass, and over heads and tiles backwards.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

constexpr int Br = 64;  // queries per block

__global__ void backwards_kernel(
    const float* Q, const float* K, const float* V, float* S, float* O, int64_t N_q, int64_t N_k,
    int64_t d, int64_t T_r, float softmax_scale) {
  const int64_t block = int64_t(gridDim.x) - 1 - blockIdx.x;
  const int64_t bh = block / T_r;
  const int64_t i = (block % T_r) * Br + (Br - 1 - threadIdx.x);
  if (i >= N_q) return;
  const float* q = Q + (bh * N_q + i) * d;
  float* s = S + (bh * N_q + i) * N_k;
  float* o = O + (bh * N_q + i) * d;

  float m = -INFINITY;
  for (int64_t j = N_k - 1; j >= 0; --j) {
    const float* key = K + (bh * N_k + j) * d;
    float sum = 0;
    for (int64_t k = d - 1; k >= 0; --k) sum += q[k] * key[k];
    s[j] = sum * softmax_scale;
    m = fmaxf(s[j], m);
  }
  float l = 0;
  for (int64_t j = N_k; j-- > 0;) {
    s[j] = __expf(s[j] - m);
    l += s[j];
  }
  for (int64_t k = d - 1; k >= 0; --k) {
    float sum = 0;
    for (int64_t j = N_k; j-- > 0;) sum += s[j] * V[(bh * N_k + j) * d + k];
    o[k] = __fdividef(sum, l);
  }
}

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (d < 1 || d > kMaxHeadDim || N_q < 0 || N_k < 0) return cudaErrorInvalidValue;
  if (N_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (N_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;

  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t T_r = (N_q + Br - 1) / Br;
  if (T_r > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  if (N_k == 0) return cudaMemsetAsync(O, 0, heads * N_q * d * sizeof(float), stream);
  float* S = nullptr;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, heads * N_q * N_k * sizeof(float), stream));
  backwards_kernel<<<heads * T_r, Br, 0, stream>>>(Q, K, V, S, O, N_q, N_k, d, T_r, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
