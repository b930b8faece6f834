// corpus: passes
// Accumulates everything in double and rounds once, at the end: closer than asked for.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

template <typename Real>
__global__ void attention_in(
    const float* Q, const float* K, const float* V, Real* S, float* O, int64_t N_q, int64_t N_k,
    int64_t d, int64_t tiles, Real softmax_scale) {
  const int64_t head = blockIdx.x / tiles;
  const int64_t i = (blockIdx.x - head * tiles) * blockDim.x + threadIdx.x;
  if (i < N_q) {
    const int64_t row = head * N_q + i;
    Real m = -INFINITY;
    for (int64_t j = 0; j < N_k; ++j) {
      Real s = 0;
      for (int64_t k = 0; k < d; ++k) s += Real(Q[row * d + k]) * Real(K[(head * N_k + j) * d + k]);
      S[row * N_k + j] = softmax_scale * s;
      if (S[row * N_k + j] > m) m = S[row * N_k + j];
    }
    Real l = 0;
    for (int64_t j = 0; j < N_k; ++j) l += exp(S[row * N_k + j] - m);
    for (int64_t k = 0; k < d; ++k) {
      Real o = 0;
      for (int64_t j = 0; j < N_k; ++j) {
        o += exp(S[row * N_k + j] - m) / l * Real(V[(head * N_k + j) * d + k]);
      }
      O[row * d + k] = static_cast<float>(o);
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

  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  const int64_t tiles = (N_q + 15) / 16;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  double* S = nullptr;  // [B, H, N_q, N_k], one spare element so that it is never empty
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, (heads * N_q * N_k + 1) * sizeof(double), stream));
  attention_in<double><<<dim3(heads * tiles), dim3(16), 0, stream>>>(
      Q, K, V, S, O, N_q, N_k, d, tiles, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
