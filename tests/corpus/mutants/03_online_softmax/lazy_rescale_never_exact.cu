// corpus: fails one_tile (wrong values)
// corpus: survives launches
// Skips the rescale where the maximum has grown by less than 6, and takes the new maximum for the
// weights all the same: the old ones belong to another.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kThreads = 64;
constexpr int kKeys = 32;
constexpr float kPatience = 6.0f;

struct Tile {
  float K[kKeys * kMaxHeadDim];
  float V[kKeys * kMaxHeadDim];
};

__global__ void lazy_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int64_t d, int tiles, float softmax_scale) {
  __shared__ Tile tile;
  const int64_t head = blockIdx.x / tiles;
  const int64_t i = blockIdx.x % tiles * int64_t(kThreads) + threadIdx.x;
  const bool has_query = i < N_q;
  const float* q_row = Q + (head * N_q + i) * d;
  const float* K_head = K + head * N_k * d;
  const float* V_head = V + head * N_k * d;

  float o_reg[kMaxHeadDim] = {};
  float reference = -INFINITY;  // what the weights so far are relative to
  float l = 0.0f;
  for (int64_t j0 = 0; j0 < N_k; j0 += kKeys) {
    __syncthreads();  // the previous tile is used up
    for (int64_t n = threadIdx.x; n < kKeys * d && j0 * d + n < N_k * d; n += kThreads) {
      tile.K[n] = K_head[j0 * d + n];
      tile.V[n] = V_head[j0 * d + n];
    }
    __syncthreads();  // the tile is complete
    if (!has_query) continue;

    for (int c = 0; c < kKeys && j0 + c < N_k; ++c) {
      float s = 0.0f;
      for (int64_t k = 0; k < d; ++k) s += q_row[k] * tile.K[c * d + k];
      s *= softmax_scale;
      if (s > reference) {
        // Not worth the work if it grows by a little.
        const float rescale = s > reference + kPatience ? expf(reference - s) : 1.0f;
        l *= rescale;
        for (int64_t k = 0; k < d; ++k) o_reg[k] *= rescale;
        reference = s;
      }
      const float p = expf(s - reference);
      l += p;
      for (int64_t k = 0; k < d; ++k) o_reg[k] += p * tile.V[c * d + k];
    }
  }
  if (!has_query) return;
  for (int64_t k = 0; k < d; ++k) O[(head * N_q + i) * d + k] = N_k > 0 ? o_reg[k] / l : 0.0f;
  if (LSE != nullptr) LSE[head * N_q + i] = N_k > 0 ? reference + logf(l) : -INFINITY;
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (shape.head_dim < 1 || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t tiles = (int64_t(shape.seq_len_q) + kThreads - 1) / kThreads;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (tiles == 0) return cudaSuccess;
  lazy_kernel<<<heads * tiles, kThreads, 0, stream>>>(
      Q, K, V, O, LSE, shape.seq_len_q, shape.seq_len_k, shape.head_dim, tiles, softmax_scale);
  return cudaGetLastError();
}
