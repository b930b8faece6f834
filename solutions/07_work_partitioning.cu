// Lesson 07: the work divided as in FlashAttention-2.
//
// Before    a thread works alone on a query: of every product one factor comes from shared memory.
// Change    a rewrite. A warp owns queries, its threads own rectangles of S and O, in registers;
//           query heads may share a key/value head; the tiles with the most keys start first.
// Why       1 byte from shared memory per multiply-add (d = 64), not 4; m, l, O stay in the warp.
// Grid      batch * num_heads * ceil(N_q / Br) blocks, all along x; Br = 128 if d <= 64, else 64.
// Block     128 threads, 4 warps; a warp works on Br / 4 queries of one head, 8 or 16 lanes each.
// Shared    64 to 96 KiB: tiles of Q and K, transposed, of V, and of P. No scratch.
// Requires  head_dim <= 128, num_heads a multiple of num_heads_kv. LSE may be null.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kWarps = 4, kThreads = 32 * kWarps;
constexpr int Bc = 64;  // keys per tile
constexpr unsigned kAllLanes = 0xffffffff;
constexpr float kLog2e = 1.44269504f, kLn2 = 0.693147181f;  // exp(x) = exp2(x * log2(e))

// The sizes of a kernel for head dimensions up to D.
template <int D>
struct Tile {
  static constexpr int kLanes = D <= 96 ? 8 : 16;  // that share a row: they divide its columns
  static constexpr int kGroups = 32 / kLanes;      // groups of 4 rows that a warp reads at a time
  static constexpr int kRows = D == 96 ? 4 : 8;    // rows of S and O that a thread owns
  static constexpr int kCols = Bc / kLanes, kColsO = D / kLanes;  // its columns of S, and of O
  static constexpr int kWarpRows = kGroups * kRows;               // queries of a warp
  static constexpr int Br = kWarps * kWarpRows;                   // and of a block
  static constexpr bool kTakeTurns = D == 128;                    // K and V, in one place
  static constexpr int kSharedBytes =
      (Br * D + (kTakeTurns ? 1 : 2) * Bc * D + Bc * Br) * sizeof(float);
};

// Where row stands in line k of a transposed tile [D, n]. Fours of neighbouring rows stay together,
// for a float4, and change places from one four of lines to the next: then 32 lanes that store 4
// rows of 8 fours of lines meet 32 banks.
template <int n>
__device__ int place(int k, int row) {
  return row ^ (k & 28 & (n - 4));
}

// Four neighbours in memory at once. read_four: to x[n] to x[n + 3].
__device__ __forceinline__ void write_four(float* to, float x, float y, float z, float w) {
  *reinterpret_cast<float4*>(to) = {x, y, z, w};
}
template <int N>
__device__ __forceinline__ void read_four(float (&x)[N], int n, const float* from) {
  const float4 four = *reinterpret_cast<const float4*>(from);
  x[n] = four.x, x[n + 1] = four.y, x[n + 2] = four.z, x[n + 3] = four.w;
}

// s [R, C] plus the product of the column a [R] and the row b [C]. Down one column and up the next:
// neighbouring multiply-adds share a factor, which then need not be read from a register again.
template <int R, int C>
__device__ __forceinline__ void add_outer_product(
    float (&s)[R][C], const float (&a)[R], const float (&b)[C]) {
  for (int c = 0; c < C; ++c)
    for (int n = 0; n < R; ++n) {
      const int r = c % 2 == 0 ? n : R - 1 - n;
      s[r][c] += a[r] * b[c];
    }
}

// kTileRows rows of [n, d] on their way from global to shared memory: fetched before the arithmetic
// on the previous tile, put after it. The whole block takes part; a warp copies 32 columns of 4
// rows at a time, or of 1 row. Vec is float4 or float.
template <int kTileRows, int D, typename Vec>
struct Rows {
  static constexpr int kWidth = sizeof(Vec) / sizeof(float);
  static constexpr int kAtOnce = kThreads * kWidth / 32;          // rows
  static constexpr int kPieces = kTileRows / kAtOnce * (D / 32);  // of a thread
  Vec piece[kPieces];

  __device__ static int row(int i) { return i / (D / 32) * kAtOnce + threadIdx.x * kWidth / 32; }
  __device__ static int col(int i) { return i % (D / 32) * 32 + threadIdx.x * kWidth % 32; }

  // What lies behind row n or column d becomes zeros.
  __device__ void fetch(const float* rows, int n, int d) {
    rows += row(0) * d;
#pragma unroll
    for (int i = 0; i < kPieces; ++i) {
      piece[i] = Vec{};
      if (row(i) < n && col(i) < d) piece[i] = *reinterpret_cast<const Vec*>(rows + col(i));
      if ((i + 1) % (D / 32) == 0) rows += kAtOnce * d;
    }
  }
  __device__ void put(float* tile_smem) const {  // [kTileRows, D]
    for (int i = 0; i < kPieces; ++i)
      *reinterpret_cast<Vec*>(tile_smem + row(i) * D + col(i)) = piece[i];
  }
  __device__ void put_transposed(float* tile_smem, float scale) const {  // [D, kTileRows]
    for (int i = 0; i < kPieces; ++i)
      for (int k = 0; k < kWidth; ++k)
        tile_smem[(col(i) + k) * kTileRows + place<kTileRows>(col(i), row(i))] =
            scale * reinterpret_cast<const float*>(piece)[i * kWidth + k];
  }
};

template <int D, typename Vec>
__global__ void __launch_bounds__(kThreads, 2) partitioned_attention_kernel(
    const float* Q,            // [B, H, N_q, d]
    const float* K,            // [B, H_kv, N_k, d]
    const float* V,            // [B, H_kv, N_k, d]
    float* O,                  // [B, H, N_q, d]
    float* LSE,                // [B, H, N_q], or null
    int64_t N_q, int64_t N_k,  // queries, keys; 64-bit, because products of sizes pass 2^31
    int d,                     // at most D; a multiple of 4 if Vec is float4
    int T_r,                   // tiles of queries in a head, ceil(N_q / Br)
    int heads_per_kv_head, float softmax_scale, bool causal) {
  constexpr int kRows = Tile<D>::kRows, kCols = Tile<D>::kCols, kColsO = Tile<D>::kColsO;
  constexpr int kLanes = Tile<D>::kLanes, kWarpRows = Tile<D>::kWarpRows, Br = Tile<D>::Br;
  constexpr bool kTakeTurns = Tile<D>::kTakeTurns;
  const int warp_id = threadIdx.x / 32, lane_id = threadIdx.x % 32;
  extern __shared__ float4 smem[];
  float* const Q_smem = reinterpret_cast<float*>(smem);              // [D, Br], scaled
  float* const K_smem = Q_smem + D * Br;                             // [D, Bc]
  float* const V_smem = kTakeTurns ? K_smem : K_smem + D * Bc;       // [Bc, D]
  float* const P_smem = V_smem + Bc * D + warp_id * Bc * kWarpRows;  // [Bc, kWarpRows], this warp's
  // Bit 0 of lane_id, and bit 4 if 8 lanes share a row, choose the rows, the others the columns. So
  // two lanes that differ in bit 1 read the same float4 of Q or P, and two that differ in bit 0 the
  // same of K or V: then a load of 32 float4 takes two passes through shared memory, else four.
  const int row_group = lane_id % 2 + (kLanes == 8 ? lane_id / 16 * 2 : 0);
  const int col_group = lane_id / 2 % kLanes;
  // The rows and columns of this thread: fours of neighbours, counted within the warp or the tile.
  const auto row = [=](int r) { return 4 * (row_group + r / 4 * Tile<D>::kGroups) + r % 4; };
  const auto col = [=](int c) { return 4 * (col_group + c / 4 * kLanes) + c % 4; };
  int64_t tile = 0;     // which Br queries
  int64_t head = 0;     // of which head, b * H + h, counted over all batches
  int64_t kv_head = 0;  // and which head of K and V they read, b * H_kv + h_kv
  // DONE(07.1): which tile, which head, which key/value head.   (~3 lines)
  tile = T_r - 1 - blockIdx.x % T_r;  // blocks start in order; the last tile sees the most keys
  head = blockIdx.x / T_r;
  kv_head = head / heads_per_kv_head;  // (b * H + h) / (H / H_kv) = b * H_kv + h / (H / H_kv)
  // END(07.1)
  const int64_t q0 = tile * Br;                      // the first query of the block
  const int64_t warp_q0 = q0 + warp_id * kWarpRows;  // and of this warp
  const bool has_queries = warp_q0 < N_q;            // else the warp helps to load tiles, no more
  // Query q_pos sees keys 0 to keys(q_pos) - 1. The last one of a block sees the most.
  const auto keys = [=](int64_t q_pos) { return causal ? q_pos + 1 + N_k - N_q : N_k; };
  const int64_t block_keys = keys(min(q0 + Br, N_q) - 1);

  Rows<Br, D, Vec> queries;
  queries.fetch(Q + (head * N_q + q0) * d, min(N_q - q0, int64_t{Br}), d);
  queries.put_transposed(Q_smem, softmax_scale * kLog2e);
  float o_reg[kRows][kColsO] = {};  // a piece of O, not yet divided by l
  float m[kRows];                   // the maximum of each row's scores so far, in all its lanes
  float l[kRows] = {};              // the sum of exp2(s - m), of this thread's columns only
  for (int r = 0; r < kRows; ++r) m[r] = -INFINITY;
  const float* const K_head = K + kv_head * N_k * d;  // [N_k, d]
  const float* const V_head = V + kv_head * N_k * d;  // [N_k, d]
  Rows<Bc, D, Vec> next;
  if (block_keys > 0) next.fetch(K_head, min(N_k, int64_t{Bc}), d);
  for (int64_t j0 = 0; j0 < block_keys; j0 += Bc) {
    if (kTakeTurns) __syncthreads();  // every warp is done with the previous V, where K goes
    next.put_transposed(K_smem, 1.0f);
    __syncthreads();  // K is complete; and every warp is done with the previous V and P
    next.fetch(V_head + j0 * d, min(N_k - j0, int64_t{Bc}), d);

    float s_reg[kRows][kCols] = {};  // a piece of S, and then of P; base 2
#pragma unroll 2
    for (int k = 0; k < D && has_queries; k += 4)
#pragma unroll
      for (int i = 0; i < 4; ++i) {  // these four lines have their rows in the same places
        float q_reg[kRows], k_reg[kCols];
        // DONE(07.2): s_reg += this thread's part of line k + i of Q times that of K.   (~5 lines)
        for (int r = 0; r < kRows; r += 4)
          read_four(q_reg, r, Q_smem + (k + i) * Br + place<Br>(k, warp_id * kWarpRows + row(r)));
        for (int c = 0; c < kCols; c += 4)
          read_four(k_reg, c, K_smem + (k + i) * Bc + place<Bc>(k, col(c)));
        add_outer_product(s_reg, q_reg, k_reg);
        // END(07.2)
      }
    if (j0 + Bc > keys(warp_q0))  // only a tile at the diagonal, or the ragged last one
      for (int r = 0; r < kRows; ++r) {
        const int seen = min(keys(warp_q0 + row(r)) - j0, int64_t{Bc});
        for (int c = 0; c < kCols; ++c)
          if (col(c) >= seen) s_reg[r][c] = -INFINITY;
      }

    float exponent = 0.0f;  // of the rescale factor; the r-th lane of row r computes it
    for (int r = 0; r < kRows; ++r) {
      float m_new = m[r];
      // DONE(07.3): the maximum of m and of the whole row of S, in all its lanes.   (~3 lines)
      for (int c = 0; c < kCols; ++c) m_new = fmaxf(m_new, s_reg[r][c]);
      for (int bit = 2; bit <= kLanes; bit *= 2)
        m_new = fmaxf(m_new, __shfl_xor_sync(kAllLanes, m_new, bit));
      // END(07.3)
      const float base = m_new == -INFINITY ? 0.0f : m_new;  // no key yet: (-inf) - (-inf) is NaN
      const float drop = m[r] - base;  // outside of the choice, or m would lie in local memory
      exponent = col_group == r ? drop : exponent;
      m[r] = m_new;
      for (int c = 0; c < kCols; ++c) s_reg[r][c] = exp2f(s_reg[r][c] - base);
    }
    if (__any_sync(kAllLanes, exponent < 0.0f)) {  // mostly no maximum of the warp has risen
      const float my_rescale = exp2f(exponent);    // one exp2f per lane, not one per lane and row
      for (int r = 0; r < kRows; ++r) {
        const float rescale = __shfl_sync(kAllLanes, my_rescale, lane_id + 2 * (r - col_group));
        l[r] *= rescale;
        for (int t = 0; t < kColsO; ++t) o_reg[r][t] *= rescale;
      }
    }
    for (int c = 0; c < kCols; ++c)
      for (int r = 0; r < kRows; r += 4)
        write_four(
            P_smem + col(c) * kWarpRows + place<kWarpRows>(col(c), row(r)), s_reg[r][c],
            s_reg[r + 1][c], s_reg[r + 2][c], s_reg[r + 3][c]);
    for (int r = 0; r < kRows; ++r)
      for (int c = 0; c < kCols; ++c) l[r] += s_reg[r][c];

    if (kTakeTurns) __syncthreads();  // every warp is done with K, where V goes
    next.put(V_smem);
    __syncthreads();  // V is complete, and P, of which a warp reads its own part; K can go
    if (j0 + Bc < block_keys)
      next.fetch(K_head + (j0 + Bc) * d, min(N_k - j0 - Bc, int64_t{Bc}), d);
#pragma unroll 2
    for (int c = 0; c < Bc && has_queries; c += 4)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float p_reg[kRows], v_reg[kColsO];
        // DONE(07.4): o_reg += this thread's part of line c + i of P times that of V.   (~4 lines)
        for (int r = 0; r < kRows; r += 4)
          read_four(p_reg, r, P_smem + (c + i) * kWarpRows + place<kWarpRows>(c, row(r)));
        for (int t = 0; t < kColsO; t += 4) read_four(v_reg, t, V_smem + (c + i) * D + col(t));
        add_outer_product(o_reg, p_reg, v_reg);
        // END(07.4)
      }
  }

  for (int r = 0; r < kRows; ++r) {
    if (warp_q0 + r / 4 * 4 * Tile<D>::kGroups >= N_q) break;  // for the whole warp: no such query
    for (int bit = 2; bit <= kLanes; bit *= 2) l[r] += __shfl_xor_sync(kAllLanes, l[r], bit);
    const float inv_l = l[r] == 0.0f ? 0.0f : 1.0f / l[r];  // l = 0: no keys
    const int64_t q_pos = warp_q0 + row(r);
    if (q_pos >= N_q) continue;
    float* const o_row = O + (head * N_q + q_pos) * d;  // [d]
    for (int t = 0; t < kColsO; ++t) o_reg[r][t] *= inv_l;
    for (int t = 0; t < kColsO; t += 4)
      if (sizeof(Vec) == sizeof(float4) && col(t) < d)
        write_four(o_row + col(t), o_reg[r][t], o_reg[r][t + 1], o_reg[r][t + 2], o_reg[r][t + 3]);
    for (int t = 0; t < kColsO; ++t)
      if (sizeof(Vec) == sizeof(float) && col(t) < d) o_row[col(t)] = o_reg[r][t];
    if (LSE != nullptr && col_group == 0) LSE[head * N_q + q_pos] = kLn2 * (m[r] + log2f(l[r]));
  }
}

struct Plan {
  decltype(&partitioned_attention_kernel<32, float>) kernel;
  int Br, shared_bytes;
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
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;

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
