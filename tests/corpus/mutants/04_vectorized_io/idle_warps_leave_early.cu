// corpus: fails one_tile (not finite)
// corpus: survives launches
// corpus: on a GPU fails ragged (wrong values | not finite)
// Warps without a query return before the loop: the barriers do not miss them, but the float4s that
// they should have loaded do.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int Br = 16;  // queries per block, a warp each
constexpr int Bc = 32;  // keys per tile, a lane each
constexpr int kThreads = 32 * Br;

__device__ float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
__device__ float4 scaled(float4 a, float s) { return {a.x * s, a.y * s, a.z * s, a.w * s}; }
__device__ float4 plus(float4 a, float4 b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }

// Columns k to k + 3 of a row; what is past its end is 0. kWide: the row is aligned, and d % 4 = 0.
template <bool kWide>
__device__ float4 load_four(const float* row, int k, int d) {
  if (kWide) return *reinterpret_cast<const float4*>(row + k);
  return {
      row[k], k + 1 < d ? row[k + 1] : 0.0f, k + 2 < d ? row[k + 2] : 0.0f,
      k + 3 < d ? row[k + 3] : 0.0f};
}

template <bool kWide>
__device__ void store_four(float* row, int k, int d, float4 a) {
  if (kWide) {
    *reinterpret_cast<float4*>(row + k) = a;
    return;
  }
  row[k] = a.x;
  if (k + 1 < d) row[k + 1] = a.y;
  if (k + 2 < d) row[k + 2] = a.z;
  if (k + 3 < d) row[k + 3] = a.w;
}

__device__ float warp_max(float x) {
  for (int offset = 16; offset > 0; offset /= 2)
    x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, offset));
  return x;
}

__device__ float warp_sum(float x) {
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(kAllLanes, x, offset);
  return x;
}

template <bool kWide>
__global__ void __launch_bounds__(kThreads) warp_per_query_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int d, int64_t tiles, float softmax_scale) {
  const int d4 = (d + 3) / 4;  // float4s in a row, the last one filled up with zeros
  const int lane_id = threadIdx.x % 32;
  const int64_t head = blockIdx.x / tiles;
  const int64_t i = blockIdx.x % tiles * Br + threadIdx.x / 32;
  const bool has_query = i < N_q;  // the same in the whole warp
  const int64_t row = head * N_q + i;

  __shared__ float4 Q_smem[Br][kMaxHeadDim / 4];
  __shared__ float4 K_smem[Bc][kMaxHeadDim / 4 + 1];  // + 1: lanes read different rows
  __shared__ float4 V_smem[Bc][kMaxHeadDim / 4];
  float4* q_smem = Q_smem[threadIdx.x / 32];  // [d4], of this warp alone
  if (has_query && lane_id < d4) q_smem[lane_id] = load_four<kWide>(Q + row * d, 4 * lane_id, d);
  if (!has_query) return;
  float4 o = {};  // columns 4 * lane_id to 4 * lane_id + 3
  float m = -INFINITY, l = 0.0f;

  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    for (int n = threadIdx.x; n < Bc * d4; n += kThreads) {
      const int c = n / d4, k = n % d4;
      const int64_t key = (head * N_k + j0 + c) * d;
      const bool has_key = j0 + c < N_k;
      K_smem[c][k] = has_key ? load_four<kWide>(K + key, 4 * k, d) : float4{};
      V_smem[c][k] = has_key ? load_four<kWide>(V + key, 4 * k, d) : float4{};
    }
    __syncthreads();  // the tiles are complete, and Q_smem as well
    {
      float s = 0.0f;
      for (int k = 0; k < d4; ++k) s += dot(q_smem[k], K_smem[lane_id][k]);
      s = j0 + lane_id < N_k ? s * softmax_scale : -INFINITY;
      const float m_new = fmaxf(m, warp_max(s));
      const float rescale = expf(m - m_new);
      const float p = expf(s - m_new);
      l = l * rescale + warp_sum(p);
      o = scaled(o, rescale);
      for (int c = 0; c < Bc; ++c) {
        const float p_of_key = __shfl_sync(kAllLanes, p, c);
        if (lane_id < d4) o = plus(o, scaled(V_smem[c][lane_id], p_of_key));
      }
      m = m_new;
    }
    __syncthreads();  // all warps are done with the tiles
  }

  const float inverse = l > 0.0f ? 1.0f / l : 0.0f;
  if (lane_id < d4) store_four<kWide>(O + row * d, 4 * lane_id, d, scaled(o, inverse));
  if (LSE != nullptr && lane_id == 0) LSE[row] = m + logf(l);
}

bool is_aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (N_q < 0 || N_k < 0 || d < 1 || d > kMaxHeadDim) return cudaErrorInvalidValue;
  if (N_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (N_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  if (N_q == 0) return cudaSuccess;
  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t tiles = (N_q + Br - 1) / Br;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  const bool wide = d % 4 == 0 && is_aligned(Q) && is_aligned(K) && is_aligned(V) && is_aligned(O);
  const auto kernel = wide ? warp_per_query_kernel<true> : warp_per_query_kernel<false>;
  kernel<<<heads * tiles, kThreads, 0, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, tiles, softmax_scale);
  return cudaGetLastError();
}
