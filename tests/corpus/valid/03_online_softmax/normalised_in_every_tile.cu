// corpus: passes
// O is the right answer for the keys so far after every tile, and LSE is the running state instead
// of m and l: the new tile comes in with weight 1 / (1 + exp(LSE_old - LSE_tile)).
#include <cfloat>
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int Br = 32;
constexpr int Bc = 48;

__global__ void running_mean_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int d, int tiles, float softmax_scale) {
  __shared__ float tile[Bc * kMaxHeadDim];  // of K, then of V
  const int64_t head = blockIdx.x / tiles;
  const int64_t i = int64_t(blockIdx.x % tiles) * Br + threadIdx.x;
  const int64_t row = head * N_q + i;
  float o[kMaxHeadDim] = {};
  float lse = -INFINITY;

  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    const int keys = N_k - j0 < Bc ? int(N_k - j0) : Bc;
    for (int n = threadIdx.x; n < keys * d; n += Br) tile[n] = K[(head * N_k + j0) * d + n];
    __syncthreads();  // K is complete
    float p[Bc];
    float m = -FLT_MAX, l = 0.0f;
    if (i < N_q) {
      for (int c = 0; c < keys; ++c) {
        p[c] = 0.0f;
        for (int k = 0; k < d; ++k) p[c] += Q[row * d + k] * tile[c * d + k];
        p[c] *= softmax_scale;
        m = fmaxf(m, p[c]);
      }
      for (int c = 0; c < keys; ++c) {
        p[c] = expf(p[c] - m);
        l += p[c];
      }
    }
    __syncthreads();  // K is used up
    for (int n = threadIdx.x; n < keys * d; n += Br) tile[n] = V[(head * N_k + j0) * d + n];
    __syncthreads();  // V is complete
    if (i < N_q) {
      const float tile_lse = m + logf(l);
      const float larger = fmaxf(lse, tile_lse);
      const float before = expf(lse - larger), now = expf(tile_lse - larger);
      const float keep = before / (before + now);
      for (int k = 0; k < d; ++k) {
        float mean = 0.0f;
        for (int c = 0; c < keys; ++c) mean += p[c] * tile[c * d + k];
        o[k] = keep * o[k] + (1.0f - keep) * (mean / l);
      }
      lse = larger + logf(before + now);
    }
    __syncthreads();  // V is used up
  }
  if (i >= N_q) return;
  for (int k = 0; k < d; ++k) O[row * d + k] = o[k];
  if (LSE != nullptr) LSE[row] = lse;
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  const bool positive =
      shape.batch > 0 && shape.num_heads > 0 && shape.num_heads_kv > 0 && shape.head_dim > 0;
  if (!positive || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (!Q || !O)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (!K || !V)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads != shape.num_heads_kv) return cudaErrorNotSupported;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t tiles = (int64_t(shape.seq_len_q) + Br - 1) / Br;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (tiles == 0) return cudaSuccess;
  running_mean_kernel<<<unsigned(heads * tiles), Br, 0, stream>>>(
      Q, K, V, O, LSE, shape.seq_len_q, shape.seq_len_k, shape.head_dim, int(tiles), softmax_scale);
  return cudaGetLastError();
}
