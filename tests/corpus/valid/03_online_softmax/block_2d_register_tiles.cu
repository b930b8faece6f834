// corpus: passes
// Blocks of 16 x 16 threads on 32 queries and 32 keys: 2 x 2 scores and 2 x 8 outputs per thread.
// Row statistics go through shuffles of width 16, the weights through shared memory. K and V take
// turns in one buffer.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kSide = 16;  // threads along x and y
constexpr int kEach = 2;   // rows and keys per thread
constexpr int kTile = kSide * kEach;
constexpr int kWide = kMaxHeadDim / kSide;  // columns of O per thread
constexpr int kStride = kMaxHeadDim + 1;

// Rows first, first + 1, ... of a head with N rows; zeros behind the last one.
__device__ void load_rows(
    float (*tile)[kStride], const float* head, int64_t first, int64_t N, int d) {
  for (int r = threadIdx.y; r < kTile; r += kSide)
    for (int k = threadIdx.x; k < d; k += kSide)
      tile[r][k] = first + r < N ? head[(first + r) * d + k] : 0.0f;
}

__global__ void tile_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int d, int tiles, float softmax_scale) {
  __shared__ float Q_smem[kTile][kStride];
  __shared__ float KV_smem[kTile][kStride];
  __shared__ float P_smem[kTile][kTile + 1];
  const int x = threadIdx.x, y = threadIdx.y;
  const int64_t head = blockIdx.x / tiles;
  const int64_t i0 = int64_t(blockIdx.x % tiles) * kTile;
  const float* K_head = K + head * N_k * d;
  const float* V_head = V + head * N_k * d;
  // A warp has rows y and y + 1 of both halves of the tile. Without a query there, it only loads.
  const int rows = i0 + y / 2 * 2 < N_q ? kEach : 0;
  load_rows(Q_smem, Q + head * N_q * d, i0, N_q, d);

  float m[kEach], l[kEach] = {}, o[kEach][kWide] = {};
  for (int r = 0; r < kEach; ++r) m[r] = -INFINITY;
  for (int64_t j0 = 0; j0 < N_k; j0 += kTile) {
    load_rows(KV_smem, K_head, j0, N_k, d);
    __syncthreads();  // K is there, and in the first round Q

    float s[kEach][kEach] = {};
    for (int k = 0; k < d; ++k)
      for (int r = 0; r < rows; ++r)
        for (int c = 0; c < kEach; ++c)
          s[r][c] += Q_smem[y + kSide * r][k] * KV_smem[x + kSide * c][k];
    for (int r = 0; r < rows; ++r) {
      float row_max = -INFINITY;
      for (int c = 0; c < kEach; ++c) {
        s[r][c] = j0 + x + kSide * c < N_k ? s[r][c] * softmax_scale : -INFINITY;
        row_max = fmaxf(row_max, s[r][c]);
      }
      // The 16 threads of a row are neighbouring lanes.
      for (int lanes = kSide / 2; lanes > 0; lanes /= 2)
        row_max = fmaxf(row_max, __shfl_xor_sync(~0u, row_max, lanes, kSide));
      const float m_new = fmaxf(m[r], row_max);
      const float rescale = expf(m[r] - m_new);
      m[r] = m_new;
      float row_sum = 0.0f;
      for (int c = 0; c < kEach; ++c) {
        const float p = expf(s[r][c] - m_new);
        P_smem[y + kSide * r][x + kSide * c] = p;
        row_sum += p;
      }
      for (int lanes = kSide / 2; lanes > 0; lanes /= 2)
        row_sum += __shfl_xor_sync(~0u, row_sum, lanes, kSide);
      l[r] = l[r] * rescale + row_sum;
      for (int w = 0; w < kWide; ++w) o[r][w] *= rescale;
    }
    __syncthreads();  // all weights are there, and K is used up
    load_rows(KV_smem, V_head, j0, N_k, d);
    __syncthreads();  // V is there
    for (int c = 0; c < kTile; ++c)
      for (int r = 0; r < rows; ++r)
        for (int w = 0; w < kWide; ++w)
          if (x + kSide * w < d) o[r][w] += P_smem[y + kSide * r][c] * KV_smem[c][x + kSide * w];
    __syncthreads();  // V and the weights are used up
  }
  for (int r = 0; r < kEach; ++r) {
    const int64_t i = i0 + y + kSide * r;
    if (i >= N_q) continue;
    for (int w = 0; w < kWide; ++w)
      if (x + kSide * w < d)
        O[(head * N_q + i) * d + x + kSide * w] = l[r] > 0.0f ? o[r][w] / l[r] : 0.0f;
    if (x == 0 && LSE != nullptr) LSE[head * N_q + i] = m[r] + logf(l[r]);
  }
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
  const int64_t tiles = (int64_t(shape.seq_len_q) + kTile - 1) / kTile;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (tiles == 0) return cudaSuccess;
  tile_kernel<<<heads * tiles, dim3(kSide, kSide), 0, stream>>>(
      Q, K, V, O, LSE, shape.seq_len_q, shape.seq_len_k, shape.head_dim, tiles, softmax_scale);
  return cudaGetLastError();
}
