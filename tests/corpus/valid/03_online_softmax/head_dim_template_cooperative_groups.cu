// corpus: passes
// One kernel per range of head dimensions, padded with zeros to 8, 32, 64 or 128 columns; barriers
// and the reduction over the two threads of a query through cooperative groups.
#include <cooperative_groups.h>

#include <cmath>
#include <cstdint>

#include "attention.h"

namespace cg = cooperative_groups;

namespace {

constexpr int kQueries = 48;
constexpr int kThreads = 2 * kQueries;
constexpr int kKeys = 28;

// The first thread of a query has the lower half of its D columns, the second one the upper half.
template <int D>
__global__ void __launch_bounds__(kThreads) pair_kernel(
    const float* __restrict__ Q, const float* __restrict__ K, const float* __restrict__ V,
    float* __restrict__ O, float* __restrict__ LSE, int64_t N_q, int64_t N_k, int d, int tiles,
    float softmax_scale) {
  constexpr int kHalf = D / 2;
  __shared__ float K_smem[kKeys][D];
  __shared__ float V_smem[kKeys][D];
  const cg::thread_block block = cg::this_thread_block();
  const cg::thread_block_tile<2> pair = cg::tiled_partition<2>(block);
  const int64_t head = blockIdx.x / tiles;
  const int64_t i = int64_t(blockIdx.x % tiles) * kQueries + threadIdx.x / 2;
  const int64_t row = head * N_q + i;
  const int k0 = int(pair.thread_rank()) * kHalf;

  float q[kHalf], o[kHalf];
#pragma unroll
  for (int k = 0; k < kHalf; ++k) {
    q[k] = i < N_q && k0 + k < d ? Q[row * d + k0 + k] * softmax_scale : 0.0f;
    o[k] = 0.0f;
  }
  float m = -INFINITY, l = 0.0f;

  for (int64_t j0 = 0; j0 < N_k; j0 += kKeys) {
    block.sync();  // the previous tile is used up
    for (int n = threadIdx.x; n < kKeys * D; n += kThreads) {
      const int c = n / D, k = n % D;
      const bool inside = j0 + c < N_k && k < d;
      K_smem[c][k] = inside ? K[(head * N_k + j0 + c) * d + k] : 0.0f;
      V_smem[c][k] = inside ? V[(head * N_k + j0 + c) * d + k] : 0.0f;
    }
    block.sync();  // the tile is complete

    // All threads, also those without a query, because every pair exchanges its halves.
    for (int c = 0; c < kKeys; ++c) {
      float s = 0.0f;
#pragma unroll
      for (int k = 0; k < kHalf; ++k) s += q[k] * K_smem[c][k0 + k];
      s += pair.shfl_xor(s, 1);
      if (j0 + c >= N_k) break;
      const float m_new = fmaxf(m, s);
      const float rescale = __expf(m - m_new), p = __expf(s - m_new);
      l = l * rescale + p;
#pragma unroll
      for (int k = 0; k < kHalf; ++k) o[k] = o[k] * rescale + p * V_smem[c][k0 + k];
      m = m_new;
    }
  }
  if (i >= N_q) return;
  const float inverse = l > 0.0f ? 1.0f / l : 0.0f;
#pragma unroll
  for (int k = 0; k < kHalf; ++k)
    if (k0 + k < d) O[row * d + k0 + k] = o[k] * inverse;
  if (LSE != nullptr && pair.thread_rank() == 0) LSE[row] = m + logf(l);
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
  const int64_t tiles = (int64_t(shape.seq_len_q) + kQueries - 1) / kQueries;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (tiles == 0) return cudaSuccess;
  const int d = shape.head_dim;
  const auto kernel = d <= 8    ? pair_kernel<8>
                      : d <= 32 ? pair_kernel<32>
                      : d <= 64 ? pair_kernel<64>
                                : pair_kernel<128>;
  kernel<<<unsigned(heads * tiles), kThreads, 0, stream>>>(
      Q, K, V, O, LSE, shape.seq_len_q, shape.seq_len_k, d, int(tiles), softmax_scale);
  return cudaGetLastError();
}
