// corpus: fails work_partitioning (work partitioning)
// Split-K, as in FlashAttention-1: the four warps of a block share its queries and divide the keys
// of a tile. So each has a part of every row's m, l and O, and these are added up through shared
// memory, tile by tile: right values, with more loads, stores and barriers.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kWarps = 4;
constexpr int kThreads = 32 * kWarps;
constexpr int kLanes = 8;             // lanes of a warp that share a row: they divide its columns
constexpr int kGroups = 32 / kLanes;  // rows that a warp works on at a time
constexpr unsigned kAllLanes = 0xffffffff;
constexpr float kLog2e = 1.44269504f;  // exp(x) = exp2(x * log2(e))
constexpr float kLn2 = 0.693147181f;

// The sizes of a kernel for head dimensions up to D.
template <int D>
struct Tile {
  static constexpr int kRows = D <= 64 ? 8 : 4;  // rows of S and O that a thread works on
  static constexpr int Br = kGroups * kRows;     // queries of a block, and of each of its warps
  static constexpr int Bc = kWarps * Br;         // keys of a tile
  static constexpr int kWarpKeys = Bc / kWarps;  // of these, keys of a warp
  static constexpr int kCols = kWarpKeys / kLanes;
  static constexpr int kStride = D + 4;           // floats from a row of Q, K or V to the next
  static constexpr int kStrideP = kWarpKeys + 8;  // and of a warp's P
  static constexpr int kSharedBytes =
      ((Br + 2 * Bc) * kStride + kWarps * Br * (kStrideP + 2)) * sizeof(float);
};

__device__ float add_dot(float s, float4 a, float4 b) {
  return s + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}
__device__ float4 operator*(float s, float4 a) { return {s * a.x, s * a.y, s * a.z, s * a.w}; }
__device__ void operator+=(float4& a, float4 b) {
  a = {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w};
}

// o plus p [1, 4] times four rows of V.
__device__ inline void add_product(float4& o, float4 p, const float4 (&v)[4]) {
  o += p.x * v[0];
  o += p.y * v[1];
  o += p.z * v[2];
  o += p.w * v[3];
}

// Four floats of a tile in shared memory.
__device__ float4 four(const float* at) { return *reinterpret_cast<const float4*>(at); }

// Copies kTileRows rows of [n, d] to tile_smem [kTileRows, D + 4], times scale; what lies behind
// row n or column d becomes zeros. The whole block takes part. Vec is float or float4.
template <int kTileRows, int D, typename Vec>
__device__ void load_tile(float* tile_smem, const float* rows, int n, int d, float scale) {
  constexpr int kWidth = sizeof(Vec) / sizeof(float);
  constexpr int kVecs = D / kWidth;  // in a row of the tile
  for (int v = threadIdx.x; v < kTileRows * kVecs; v += kThreads) {
    const int r = v / kVecs;
    const int k = v % kVecs * kWidth;
    Vec x = {};
    if (r < n && k < d) x = scale * *reinterpret_cast<const Vec*>(rows + r * d + k);
    *reinterpret_cast<Vec*>(tile_smem + r * Tile<D>::kStride + k) = x;
  }
}

// Columns k to k + 3 of a row [d] of O.
template <typename Vec>
__device__ void store_four(float* row, int k, int d, float4 x) {
  if constexpr (sizeof(Vec) == sizeof(float4)) {
    if (k < d) *reinterpret_cast<float4*>(row + k) = x;
  } else {
    if (k < d) row[k] = x.x;
    if (k + 1 < d) row[k + 1] = x.y;
    if (k + 2 < d) row[k + 2] = x.z;
    if (k + 3 < d) row[k + 3] = x.w;
  }
}

template <int D, typename Vec>
__global__ void __launch_bounds__(kThreads) partitioned_attention_kernel(
    const float* Q,  // [B, H, N_q, d]
    const float* K,  // [B, H_kv, N_k, d]
    const float* V,  // [B, H_kv, N_k, d]
    float* O,        // [B, H, N_q, d]
    float* LSE,      // [B, H, N_q], or null
    int64_t N_q,     // queries; 64-bit, because products of sizes pass 2^31
    int64_t N_k,     // keys
    int d,           // at most D; a multiple of 4 if Vec is float4
    int T_r,         // tiles of queries in a head, ceil(N_q / Br)
    int heads_per_kv_head, float softmax_scale, bool causal) {
  constexpr int kRows = Tile<D>::kRows;
  constexpr int kCols = Tile<D>::kCols;
  constexpr int kStride = Tile<D>::kStride;
  constexpr int kStrideP = Tile<D>::kStrideP;
  constexpr int Br = Tile<D>::Br;
  constexpr int Bc = Tile<D>::Bc;
  extern __shared__ float4 smem[];
  float* const Q_smem = reinterpret_cast<float*>(smem);   // [Br, D + 4], scaled
  float* const V_smem = Q_smem + Br * kStride;            // [Bc, D + 4]
  float* const K_smem = V_smem + Bc * kStride;            // [Bc, D + 4]
  float* const O_smem = K_smem;                           // [warp, Br, D + 4], when K is read
  float* const P_smem = K_smem + Bc * kStride;            // [warp, Br, kStrideP]
  float* const m_smem = P_smem + kWarps * Br * kStrideP;  // [warp, Br]
  float* const l_smem = m_smem + kWarps * Br;             // [warp, Br]
  const int warp_id = threadIdx.x / 32;
  const int lane_id = threadIdx.x % 32;
  const int row = lane_id / 16 * 2 + lane_id % 2;          // and row + 4 r
  const int col = lane_id / 2 % kLanes;                    // and col + 8 c
  const int first_key = warp_id * Tile<D>::kWarpKeys;      // of this warp, in the tile
  float* const P_warp = P_smem + warp_id * Br * kStrideP;  // [Br, kStrideP]
  float* const O_warp = O_smem + warp_id * Br * kStride;   // [Br, D + 4]

  const int64_t tile = T_r - 1 - blockIdx.x % T_r;  // which Br queries
  const int64_t head = blockIdx.x / T_r;            // of which head, b * H + h
  const int64_t kv_head = head / heads_per_kv_head;
  const int64_t q0 = tile * Br;
  // Query q_pos sees keys 0 to keys(q_pos) - 1. The last query of a block sees the most.
  const auto keys = [=](int64_t q_pos) { return causal ? q_pos + 1 + N_k - N_q : N_k; };
  const int64_t block_keys = keys(min(q0 + Br, N_q) - 1);

  // A thread adds up the parts of one row: columns 4 owner + 4 kOwners t to + 3.
  constexpr int kOwners = kThreads / Br;
  constexpr int kPieces = D / (4 * kOwners);
  const int own_row = threadIdx.x / kOwners;
  const int owner = threadIdx.x % kOwners;
  float4 o_reg[kPieces] = {};  // not yet divided by l
  float own_m = -INFINITY;
  float own_l = 0.0f;

  load_tile<Br, D, Vec>(
      Q_smem, Q + (head * N_q + q0) * d, min(N_q - q0, int64_t{Br}), d, softmax_scale * kLog2e);
  float m[kRows];  // the maximum of each row's scores so far, in all lanes of all warps
  for (int r = 0; r < kRows; ++r) m[r] = -INFINITY;
  for (int64_t j0 = 0; j0 < block_keys; j0 += Bc) {
    const int64_t first = (kv_head * N_k + j0) * d;
    const int n = min(N_k - j0, int64_t{Bc});
    __syncthreads();  // every warp is done with V and the parts of O before these overwrite them
    load_tile<Bc, D, Vec>(K_smem, K + first, n, d, 1.0f);
    load_tile<Bc, D, Vec>(V_smem, V + first, n, d, 1.0f);
    __syncthreads();  // the tiles are complete before any warp reads them

    float s_reg[kRows][kCols] = {};  // a piece of S, and then of P; base 2
    for (int k = 0; k < D; k += 4) {
      float4 q_reg[kRows];
      for (int r = 0; r < kRows; ++r) q_reg[r] = four(Q_smem + (row + kGroups * r) * kStride + k);
      for (int c = 0; c < kCols; ++c) {
        const float4 k_reg = four(K_smem + (first_key + col + kLanes * c) * kStride + k);
        for (int r = 0; r < kRows; ++r) s_reg[r][c] = add_dot(s_reg[r][c], q_reg[r], k_reg);
      }
    }
    if (j0 + Bc > keys(q0))  // only a tile at the diagonal, or the ragged last one
      for (int r = 0; r < kRows; ++r) {
        const int seen = min(keys(q0 + row + kGroups * r) - j0, int64_t{Bc});
        for (int c = 0; c < kCols; ++c)
          if (first_key + col + kLanes * c >= seen) s_reg[r][c] = -INFINITY;
      }
    for (int r = 0; r < kRows; ++r) {
      float m_warp = s_reg[r][0];
      for (int c = 1; c < kCols; ++c) m_warp = fmaxf(m_warp, s_reg[r][c]);
      for (int bit = 2; bit <= 8; bit *= 2)
        m_warp = fmaxf(m_warp, __shfl_xor_sync(kAllLanes, m_warp, bit));
      if (col == 0) m_smem[warp_id * Br + row + kGroups * r] = m_warp;
    }
    __syncthreads();  // the maxima of all warps are there, and every warp is done with K

    for (int r = 0; r < kRows; ++r) {
      const int tile_row = row + kGroups * r;
      for (int w = 0; w < kWarps; ++w) m[r] = fmaxf(m[r], m_smem[w * Br + tile_row]);
      const float base = m[r] == -INFINITY ? 0.0f : m[r];  // no key yet: (-inf) - (-inf) is NaN
      float l_warp = 0.0f;
      for (int c = 0; c < kCols; ++c) {
        const float p = exp2f(s_reg[r][c] - base);
        l_warp += p;
        P_warp[tile_row * kStrideP + col + kLanes * c] = p;
      }
      for (int bit = 2; bit <= 8; bit *= 2) l_warp += __shfl_xor_sync(kAllLanes, l_warp, bit);
      if (col == 0) l_smem[warp_id * Br + tile_row] = l_warp;
    }
    __syncwarp();                         // the warp's P is complete before other lanes read it
    float4 part_reg[kRows][D / 32] = {};  // of P V, over this warp's keys
    for (int c = 0; c < Tile<D>::kWarpKeys; c += 4) {
      float4 p_reg[kRows];
      for (int r = 0; r < kRows; ++r) p_reg[r] = four(P_warp + (row + kGroups * r) * kStrideP + c);
      for (int t = 0; t < D / 32; ++t) {
        float4 v_reg[4];
        for (int i = 0; i < 4; ++i)
          v_reg[i] = four(V_smem + (first_key + c + i) * kStride + 32 * t + 4 * col);
        for (int r = 0; r < kRows; ++r) add_product(part_reg[r][t], p_reg[r], v_reg);
      }
    }
    for (int r = 0; r < kRows; ++r)
      for (int t = 0; t < D / 32; ++t)
        *reinterpret_cast<float4*>(O_warp + (row + kGroups * r) * kStride + 32 * t + 4 * col) =
            part_reg[r][t];
    __syncthreads();  // the parts of l and O are complete before they are added up

    float m_new = own_m;
    for (int w = 0; w < kWarps; ++w) m_new = fmaxf(m_new, m_smem[w * Br + own_row]);
    const float rescale = exp2f(own_m - (m_new == -INFINITY ? 0.0f : m_new));
    own_m = m_new;
    own_l *= rescale;
    for (int w = 0; w < kWarps; ++w) own_l += l_smem[w * Br + own_row];
    for (int t = 0; t < kPieces; ++t) {
      o_reg[t] = rescale * o_reg[t];
      for (int w = 0; w < kWarps; ++w)
        o_reg[t] += four(O_smem + (w * Br + own_row) * kStride + 4 * (owner + kOwners * t));
    }
  }

  const float inv_l = own_l == 0.0f ? 0.0f : 1.0f / own_l;  // l = 0: no keys
  const int64_t q_pos = q0 + own_row;
  if (q_pos >= N_q) return;                           // no barrier follows
  float* const o_row = O + (head * N_q + q_pos) * d;  // [d]
  for (int t = 0; t < kPieces; ++t)
    store_four<Vec>(o_row, 4 * (owner + kOwners * t), d, inv_l * o_reg[t]);
  if (LSE != nullptr && owner == 0) LSE[head * N_q + q_pos] = kLn2 * (own_m + log2f(own_l));
}

struct Plan {
  decltype(&partitioned_attention_kernel<32, float>) kernel;
  int Br;
  int shared_bytes;
};
template <int D>
Plan plan_for(bool vectorized) {
  return {
      vectorized ? partitioned_attention_kernel<D, float4> : partitioned_attention_kernel<D, float>,
      Tile<D>::Br, Tile<D>::kSharedBytes};
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q,  // [B, H, N_q, d]
    const float* K,  // [B, H_kv, N_k, d]
    const float* V,  // [B, H_kv, N_k, d]
    float* O,        // [B, H, N_q, d]
    float* LSE,      // [B, H, N_q], may be null
    AttentionShape shape, float softmax_scale, bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q;
  const int64_t N_k = shape.seq_len_k;
  const int64_t d = shape.head_dim;

  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (N_q < 0 || N_k < 0 || d < 1 || d > kMaxHeadDim) return cudaErrorInvalidValue;
  if (N_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (N_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;

  const auto is_aligned = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; };
  const bool vectorized =
      d % 4 == 0 && is_aligned(Q) && is_aligned(K) && is_aligned(V) && is_aligned(O);
  const auto plan = d <= 32   ? plan_for<32>
                    : d <= 64 ? plan_for<64>
                    : d <= 96 ? plan_for<96>
                              : plan_for<128>;
  const auto [kernel, Br, shared_bytes] = plan(vectorized);

  // gridDim.x ends at 2^31 - 1. Written as a division, because the product itself may overflow.
  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t T_r = (N_q + Br - 1) / Br;
  if (T_r > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;  // nothing to compute
  // More than 48 KiB of shared memory have to be asked for.
  const cudaError_t status =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes);
  if (status != cudaSuccess) return status;
  kernel<<<heads * T_r, kThreads, shared_bytes, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, T_r, shape.num_heads / shape.num_heads_kv, softmax_scale,
      causal);
  return cudaGetLastError();
}
