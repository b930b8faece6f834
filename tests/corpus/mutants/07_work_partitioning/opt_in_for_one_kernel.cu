// corpus: fails one_tile (launch error)
// corpus: survives launches
// corpus: on a GPU fails head_dims (launch error)
// Asks for more than 48 KiB of shared memory once and for all. But the permission is one kernel's,
// not the program's: whichever is launched first has it.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kWarps = 4;
constexpr int kThreads = 32 * kWarps;
constexpr int Bc = 32;                // keys per tile
constexpr int kLanes = 8;             // lanes of a warp that share a row: they divide its columns
constexpr int kGroups = 32 / kLanes;  // rows that a warp works on at a time
constexpr int kCols = Bc / kLanes;    // columns of S that a thread owns
constexpr int kStrideP = Bc + 8;      // floats from a row of P to the next; why: see Tile
constexpr unsigned kAllLanes = 0xffffffff;
constexpr float kLog2e = 1.44269504f;  // exp(x) = exp2(x * log2(e))
constexpr float kLn2 = 0.693147181f;

// The sizes of a kernel for head dimensions up to D. Of Q, K and V 8 neighbouring rows are read at
// a time, 16 bytes of each: D + 4 floats apart they are in 32 different banks. P is stored 4 rows
// at a time, 8 floats of each, and Bc + 8 does the same.
template <int D>
struct Tile {
  static constexpr int kRows = D <= 64 ? 8 : 4;      // rows of S and O that a thread owns
  static constexpr int kWarpRows = kGroups * kRows;  // queries of a warp
  static constexpr int Br = kWarps * kWarpRows;      // and of a block
  static constexpr int kStride = D + 4;              // floats from a row of Q, K or V to the next
  static constexpr int kSharedBytes = ((Br + 2 * Bc) * kStride + Br * kStrideP) * sizeof(float);
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
  constexpr int kStride = Tile<D>::kStride;
  constexpr int Br = Tile<D>::Br;
  extern __shared__ float4 smem[];
  float* const Q_smem = reinterpret_cast<float*>(smem);  // [Br, D + 4], scaled
  float* const K_smem = Q_smem + Br * kStride;           // [Bc, D + 4]
  float* const V_smem = K_smem + Bc * kStride;           // [Bc, D + 4]
  float* const P_smem = V_smem + Bc * kStride;           // [Br, Bc + 8]; a warp has its own rows
  const int warp_id = threadIdx.x / 32;
  const int lane_id = threadIdx.x % 32;
  // Bits 0 and 4 of lane_id choose the rows, bits 1 to 3 the columns. So two lanes that differ in
  // bit 1 read the same float4 of Q or P, and two that differ in bit 0 the same of K or V: then a
  // load of 32 float4 takes two passes through shared memory, else four.
  const int row = warp_id * Tile<D>::kWarpRows + lane_id / 16 * 2 + lane_id % 2;  // and row + 4 r
  const int col = lane_id / 2 % kLanes;  // columns of S: col + 8 c; of O: 32 t + 4 col to + 3

  const int64_t tile = T_r - 1 - blockIdx.x % T_r;   // blocks start in order: the most keys first
  const int64_t head = blockIdx.x / T_r;             // b * H + h, counted over all batches
  const int64_t kv_head = head / heads_per_kv_head;  // b * H_kv + h / (H / H_kv)
  const int64_t q0 = tile * Br;                      // the first query of the block
  const int64_t warp_q0 = q0 + warp_id * Tile<D>::kWarpRows;  // and of this warp
  // Query q_pos sees keys 0 to keys(q_pos) - 1. The last query of a block or a warp sees the most.
  const auto keys = [=](int64_t q_pos) { return causal ? q_pos + 1 + N_k - N_q : N_k; };
  const int64_t block_keys = keys(min(q0 + Br, N_q) - 1);
  const int64_t warp_keys =
      warp_q0 < N_q ? keys(min(warp_q0 + Tile<D>::kWarpRows, N_q) - 1) : 0;  // 0: no queries

  load_tile<Br, D, Vec>(
      Q_smem, Q + (head * N_q + q0) * d, min(N_q - q0, int64_t{Br}), d, softmax_scale * kLog2e);
  float4 o_reg[kRows][D / 32] = {};  // a piece of O, not yet divided by l
  float m[kRows];                    // the maximum of each row's scores so far, in all its lanes
  float l[kRows] = {};               // the sum of exp2(s - m), of this thread's columns only
  for (int r = 0; r < kRows; ++r) m[r] = -INFINITY;
  for (int64_t j0 = 0; j0 < block_keys; j0 += Bc) {
    const int64_t first = (kv_head * N_k + j0) * d;
    const int n = min(N_k - j0, int64_t{Bc});
    __syncthreads();  // every warp is done with the previous tiles before these overwrite them
    load_tile<Bc, D, Vec>(K_smem, K + first, n, d, 1.0f);
    load_tile<Bc, D, Vec>(V_smem, V + first, n, d, 1.0f);
    __syncthreads();                // the tiles are complete before any warp reads them
    if (j0 >= warp_keys) continue;  // for the whole warp: its queries see nothing of this tile

    float s_reg[kRows][kCols] = {};  // a piece of S, and then of P; base 2
    for (int k = 0; k < D; k += 4) {
      float4 q_reg[kRows];
      for (int r = 0; r < kRows; ++r) q_reg[r] = four(Q_smem + (row + kGroups * r) * kStride + k);
      for (int c = 0; c < kCols; ++c) {
        const float4 k_reg = four(K_smem + (col + kLanes * c) * kStride + k);
        for (int r = 0; r < kRows; ++r) s_reg[r][c] = add_dot(s_reg[r][c], q_reg[r], k_reg);
      }
    }
    if (j0 + Bc > keys(warp_q0))  // only a tile at the diagonal, or the ragged last one
      for (int r = 0; r < kRows; ++r) {
        const int seen = min(keys(q0 + row + kGroups * r) - j0, int64_t{Bc});
        for (int c = 0; c < kCols; ++c)
          if (col + kLanes * c >= seen) s_reg[r][c] = -INFINITY;
      }

    float exponent = 0.0f;  // lane r of the 8 with these rows computes the rescale factor of row r
    for (int r = 0; r < kRows; ++r) {
      float m_new = m[r];
      for (int c = 0; c < kCols; ++c) m_new = fmaxf(m_new, s_reg[r][c]);
      for (int bit = 2; bit <= 8; bit *= 2)
        m_new = fmaxf(m_new, __shfl_xor_sync(kAllLanes, m_new, bit));
      const float base = m_new == -INFINITY ? 0.0f : m_new;  // no key yet: (-inf) - (-inf) is NaN
      const float drop = m[r] - base;  // outside of the choice, or m would lie in local memory
      exponent = col == r ? drop : exponent;
      m[r] = m_new;
      for (int c = 0; c < kCols; ++c) s_reg[r][c] = exp2f(s_reg[r][c] - base);
    }
    const float my_rescale = exp2f(exponent);  // one exp2f per lane, not one per lane and row
    for (int r = 0; r < kRows; ++r) {
      const float rescale = __shfl_sync(kAllLanes, my_rescale, lane_id + 2 * (r - col));
      l[r] *= rescale;
      for (int c = 0; c < kCols; ++c) l[r] += s_reg[r][c];
      for (int t = 0; t < D / 32; ++t) o_reg[r][t] = rescale * o_reg[r][t];
      float* const p_row = P_smem + (row + kGroups * r) * kStrideP + col;
      for (int c = 0; c < kCols; ++c) p_row[kLanes * c] = s_reg[r][c];
    }
    __syncwarp();  // P is complete before other lanes read it; no other warp does
    for (int c = 0; c < Bc; c += 4) {
      float4 p_reg[kRows];
      for (int r = 0; r < kRows; ++r) p_reg[r] = four(P_smem + (row + kGroups * r) * kStrideP + c);
      for (int t = 0; t < D / 32; ++t) {
        float4 v_reg[4];
        for (int n = 0; n < 4; ++n) v_reg[n] = four(V_smem + (c + n) * kStride + 32 * t + 4 * col);
        for (int r = 0; r < kRows; ++r) add_product(o_reg[r][t], p_reg[r], v_reg);
      }
    }
  }

  for (int r = 0; r < kRows; ++r) {
    if (warp_q0 + kGroups * r >= N_q) break;  // for the whole warp: these rows have no query
    for (int bit = 2; bit <= 8; bit *= 2) l[r] += __shfl_xor_sync(kAllLanes, l[r], bit);
    const float inv_l = l[r] == 0.0f ? 0.0f : 1.0f / l[r];  // l = 0: no keys
    const int64_t q_pos = q0 + row + kGroups * r;
    if (q_pos >= N_q) continue;
    float* const o_row = O + (head * N_q + q_pos) * d;  // [d]
    for (int t = 0; t < D / 32; ++t)
      store_four<Vec>(o_row, 32 * t + 4 * col, d, inv_l * o_reg[r][t]);
    if (LSE != nullptr && col == 0) LSE[head * N_q + q_pos] = kLn2 * (m[r] + log2f(l[r]));
  }
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
  const auto plan = d <= 32 ? plan_for<32> : d <= 64 ? plan_for<64> : plan_for<128>;
  const auto [kernel, Br, shared_bytes] = plan(vectorized);

  // gridDim.x ends at 2^31 - 1. Written as a division, because the product itself may overflow.
  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t T_r = (N_q + Br - 1) / Br;
  if (T_r > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;  // nothing to compute
  // More than 48 KiB of shared memory have to be asked for.
  static bool asked = false;
  if (!asked) {
    const cudaError_t status =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes);
    if (status != cudaSuccess) return status;
    asked = true;
  }
  kernel<<<heads * T_r, kThreads, shared_bytes, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, T_r, shape.num_heads / shape.num_heads_kv, softmax_scale,
      causal);
  return cudaGetLastError();
}
