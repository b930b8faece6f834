// Lesson 06, fast: the backward pass with one rebuilt P per pair of tiles, in registers.
//
// Before    two kernels rebuild P and dS, seven products; every product has one factor in shared
//           memory and one in local memory.
// Change    a rewrite. One kernel, five products. Of its four warps two compute S and then dV, two
//           dP and then dK, on 8 x 8 rectangles; all four add dS K to dQ, which lies in global
//           memory. Blocks that would add to the same rows are in different launches.
// Why       2 / 7 fewer multiply-adds, and 1 byte from shared memory for each instead of 4; no
//           atomics, so every run gives the same bits.
// Grid      D: ceil(B H N_q / 16) blocks. Gradients: G launches of B H G blocks. In launch s block
//           (head, g) takes the key tiles g, g + G, .. against the query tiles (g + s) % G, + G, ..
// Block     128 threads, 4 warps: tiles of 64 keys and of Br queries, 64 to 16 (d > 96).
// Shared    67 to 99 KiB: tiles of Q, dO, K, V, P and dS.
// Requires  head_dim <= 128, num_heads_kv = num_heads. Scratch: D, one float per query.
#include <cmath>
#include <cstdint>
#include <initializer_list>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kWarps = 4;
constexpr int kThreads = 32 * kWarps;
constexpr int Bc = 64;          // keys per tile
constexpr int kDeltaLanes = 8;  // lanes that share a row of D
constexpr int kDeltaRows = kThreads / kDeltaLanes;
constexpr unsigned kAllLanes = 0xffffffff;
constexpr float kLog2e = 1.44269504f;  // exp(x) = exp2(x * log2(e))

// The sizes of a kernel for head dimensions up to D. A tile lies in shared memory as columns of
// float4: numbers 4 k to 4 k + 3 of row r are float4 number k * kStride + r. With a stride of rows
// + 1 neither 8 neighbouring rows nor 8 neighbouring columns share a bank; P and dS, of which 4
// rows and 2 columns are stored at a time, need rows + 4.
template <int D>
struct Tile {
  static constexpr int Br = D <= 64 ? 64 : D <= 96 ? 32 : 16;  // queries per tile
  static constexpr int kRows = Br / 8;                         // rows of S that a thread owns
  static constexpr int kStrideQ = Br + 1;                      // Q and dO
  static constexpr int kStrideK = Bc + 1;                      // K and V
  static constexpr int kStrideP = Br + 4;                      // P and dS
  static constexpr int kVecs = D / 4 * 2 * (kStrideQ + kStrideK) + Bc / 4 * 2 * kStrideP;
  static constexpr int kSharedBytes = kVecs * sizeof(float4);
  // dQ [Br, D] is divided among the warps: so many side by side, 32 columns or all of them each.
  static constexpr int kColWarps = D == 96 ? 1 : D / 32;
  static constexpr int kRowsQ = Br * kColWarps / kWarps / 4;  // rows of dQ that a thread owns
  static constexpr int kColsQ = D / 32 / kColWarps;           // and float4 of each
};

// What all kernels read. Sizes are 64-bit, because their products pass 2^31.
struct Inputs {
  const float *Q, *O, *dO;   // [B, H, N_q, d]
  const float *K, *V;        // [B, H, N_k, d]
  const float *LSE, *delta;  // [B, H, N_q]
  int64_t rows, N_q, N_k;    // B * H * N_q; queries and keys of a head
  int d;
  float softmax_scale;
  bool causal;
};

__device__ float add_dot(float s, float a, float b) { return s + a * b; }
__device__ float add_dot(float s, float4 a, float4 b) {
  return s + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}
__device__ void add_product(float4& a, float s, float4 b) {
  a = {a.x + s * b.x, a.y + s * b.y, a.z + s * b.z, a.w + s * b.w};
}

__device__ float4 pack(const float* x) { return {x[0], x[1], x[2], x[3]}; }

// Copies kTileRows rows of [n, d] to tile_smem, columns of float4; what lies behind row n or column
// d becomes zeros. The whole block takes part. Vec is float or float4, as in lesson 04.
template <int kTileRows, int D, typename Vec>
__device__ void load_tile(float4* tile_smem, const float* rows, int n, int d) {
  constexpr int kWidth = sizeof(Vec) / sizeof(float);
  constexpr int kVecs = D / kWidth;  // in a row of the tile
  for (int v = threadIdx.x; v < kTileRows * kVecs; v += kThreads) {
    const int r = v / kVecs;
    const int k = v % kVecs * kWidth;
    Vec x = {};
    if (r < n && k < d) x = *reinterpret_cast<const Vec*>(rows + r * d + k);
    float* const column = reinterpret_cast<float*>(tile_smem + k / 4 * (kTileRows + 1) + r);
    *reinterpret_cast<Vec*>(column + k % 4) = x;
  }
}

// Columns k to k + 3 of a row [d] in global memory.
template <typename Vec>
__device__ float4 load_four(const float* row, int k, int d) {
  if constexpr (sizeof(Vec) == sizeof(float4)) {
    return k < d ? *reinterpret_cast<const float4*>(row + k) : float4{};
  } else {
    return {
        k < d ? row[k] : 0.0f, k + 1 < d ? row[k + 1] : 0.0f, k + 2 < d ? row[k + 2] : 0.0f,
        k + 3 < d ? row[k + 3] : 0.0f};
  }
}
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

// D of 16 rows per block, 8 lanes on each.
template <typename Vec>
__global__ void __launch_bounds__(kThreads) delta_kernel(Inputs in, float* delta) {  // [B, H, N_q]
  const int64_t row = int64_t{blockIdx.x} * kDeltaRows + threadIdx.x / kDeltaLanes;
  const int lane = threadIdx.x % kDeltaLanes;
  const int d = in.d / static_cast<int>(sizeof(Vec) / sizeof(float));
  float sum = 0.0f;
  if (row < in.rows) {
    const Vec* const O_row = reinterpret_cast<const Vec*>(in.O) + row * d;    // [d]
    const Vec* const dO_row = reinterpret_cast<const Vec*>(in.dO) + row * d;  // [d]
    for (int k = lane; k < d; k += kDeltaLanes) sum = add_dot(sum, dO_row[k], O_row[k]);
  }
  for (int bit = 1; bit < kDeltaLanes; bit *= 2) sum += __shfl_xor_sync(kAllLanes, sum, bit);
  if (row < in.rows && lane == 0) delta[row] = sum;
}

template <int D, typename Vec>
__global__ void __launch_bounds__(kThreads, 2) gradients_kernel(
    Inputs in,
    float* dQ,               // [B, H, N_q, d]
    float* dK, float* dV,    // [B, H, N_k, d]
    int groups, int step) {  // G, and which launch of G this is
  using T = Tile<D>;
  constexpr int Br = T::Br, kRows = T::kRows;
  extern __shared__ float4 smem[];
  float4* const Q_smem = smem;                            // [Br, D]
  float4* const dO_smem = Q_smem + D / 4 * T::kStrideQ;   // [Br, D]
  float4* const K_smem = dO_smem + D / 4 * T::kStrideQ;   // [Bc, D]
  float4* const V_smem = K_smem + D / 4 * T::kStrideK;    // [Bc, D]
  float4* const P_smem = V_smem + D / 4 * T::kStrideK;    // [Br, Bc]
  float4* const dS_smem = P_smem + Bc / 4 * T::kStrideP;  // [Br, Bc]

  const int64_t N_q = in.N_q, N_k = in.N_k;
  const int d = in.d;
  const int warp_id = threadIdx.x / 32;
  const bool for_dV = warp_id < kWarps / 2;  // S, P and dV; else dP, dS and dK
  const int key32 = warp_id % 2 * 32;        // the warp's 32 keys of the tile
  // Bits 0 and 4 of the lane choose one of 4, bits 1 to 3 one of 8; why: see lesson 07.
  const int four = threadIdx.x % 32 / 16 * 2 + threadIdx.x % 2;
  const int eight = threadIdx.x / 2 % 8;
  // A thread's rectangles: of S and dP, rows eight + 8 r and keys(c); of dV and dK, keys(c) and
  // columns 32 t + 4 eight to + 3; of dQ, rows q_row + 4 r and columns q_col + 32 t to + 3.
  const auto keys = [=](int c) { return key32 + 4 * four + 16 * (c / 4) + c % 4; };
  const int q_row = warp_id / T::kColWarps * (4 * T::kRowsQ) + four;
  const int q_col = warp_id % T::kColWarps * 32 + 4 * eight;

  const int64_t head = blockIdx.x / groups;  // b * H + h, counted over all batches
  const int g = blockIdx.x % groups;
  const int64_t T_r = (N_q + Br - 1) / Br, T_c = (N_k + Bc - 1) / Bc;
  const float* const Q_head = in.Q + head * N_q * d;                         // [N_q, d]
  const float* const dO_head = in.dO + head * N_q * d;                       // [N_q, d]
  const float* const stat_head = (for_dV ? in.LSE : in.delta) + head * N_q;  // [N_q]
  const float nothing = for_dV ? INFINITY : 0.0f;  // the LSE that makes P 0, and its D
  float* const dQ_head = dQ + head * N_q * d;      // [N_q, d]

  for (int64_t j = g; j < T_c; j += groups) {
    const int64_t k0 = j * Bc;
    const int n_k = min(N_k - k0, int64_t{Bc});
    const bool is_first = step == 0 && j == g;  // nothing is in dQ of these query tiles yet
    // Query i sees key k if i >= k + N_q - N_k. The first tiles of a group are visited anyway.
    const int64_t seen_from = in.causal && !is_first ? max(k0 + N_q - N_k, int64_t{0}) / Br : 0;
    int64_t i = (g + step) % groups;
    if (i < seen_from) i += (seen_from - i + groups - 1) / groups * groups;

    __syncthreads();  // every warp is done with the previous K_smem before this overwrites it
    load_tile<Bc, D, Vec>(K_smem, in.K + (head * N_k + k0) * d, n_k, d);
    load_tile<Bc, D, Vec>(V_smem, in.V + (head * N_k + k0) * d, n_k, d);
    float4 sum_reg[8][D / 32] = {};  // a piece of dV or dK, over all query tiles
    for (; i < T_r; i += groups) {
      const int64_t q0 = i * Br;
      const int n_q = min(N_q - q0, int64_t{Br});
      load_tile<Br, D, Vec>(Q_smem, Q_head + q0 * d, n_q, d);
      load_tile<Br, D, Vec>(dO_smem, dO_head + q0 * d, n_q, d);
      float stat_reg[kRows];  // LSE or D of this thread's rows
      for (int r = 0; r < kRows; ++r)
        stat_reg[r] = eight + 8 * r < n_q ? stat_head[q0 + eight + 8 * r] : nothing;
      __syncthreads();  // the tiles are complete before any warp reads them

      // S = Q K^T or dP = dO V^T.
      float s_reg[kRows][8] = {};
      const float4* const X_smem = (for_dV ? Q_smem : dO_smem) + eight;
      const float4* const Y_smem = (for_dV ? K_smem : V_smem) + keys(0);
      for (int k = 0; k < D / 4; ++k) {
        float4 x_reg[kRows];
        for (int r = 0; r < kRows; ++r) x_reg[r] = X_smem[k * T::kStrideQ + 8 * r];
        for (int c = 0; c < 8; ++c) {
          const float4 y = Y_smem[k * T::kStrideK + 16 * (c / 4) + c % 4];
          for (int r = 0; r < kRows; ++r) s_reg[r][c] = add_dot(s_reg[r][c], x_reg[r], y);
        }
      }

      const int at = (key32 / 4 + four) * T::kStrideP + eight;  // of P and dS: row eight, keys(0)
      if (for_dV) {
        const float scale = in.softmax_scale * kLog2e;
        for (int r = 0; r < kRows; ++r) {
          const float LSE = stat_reg[r] * kLog2e;
          for (int c = 0; c < 8; ++c) s_reg[r][c] = exp2f(s_reg[r][c] * scale - LSE);
        }
        if (n_k < Bc || (in.causal && k0 + Bc > q0 + 1 + N_k - N_q))  // ragged, or at the diagonal
          for (int r = 0; r < kRows; ++r) {
            const int64_t seen = in.causal ? q0 + eight + 8 * r + 1 + N_k - N_q - k0 : n_k;
            for (int c = 0; c < 8; ++c)
              if (keys(c) >= seen || keys(c) >= n_k) s_reg[r][c] = 0.0f;
          }
        for (int r = 0; r < kRows; ++r)
          for (int h = 0; h < 2; ++h)
            P_smem[at + 4 * h * T::kStrideP + 8 * r] = pack(s_reg[r] + 4 * h);
      }
      __syncthreads();  // P is complete before the warps for dK read it
      if (!for_dV) {
        for (int r = 0; r < kRows; ++r)
          for (int h = 0; h < 2; ++h) {
            const float4 p = P_smem[at + 4 * h * T::kStrideP + 8 * r];
            const float4 dp = pack(s_reg[r] + 4 * h);
            dS_smem[at + 4 * h * T::kStrideP + 8 * r] = {
                p.x * (dp.x - stat_reg[r]), p.y * (dp.y - stat_reg[r]), p.z * (dp.z - stat_reg[r]),
                p.w * (dp.w - stat_reg[r])};
          }
      }
      __syncwarp();  // the warp's keys of P or dS are complete before other lanes read them

      // dV += P^T dO or dK += dS^T Q: the warp's own keys, all queries of the tile.
      const float4* const W_smem = (for_dV ? P_smem : dS_smem) + at - eight;
      const float4* const Z_smem = (for_dV ? dO_smem : Q_smem) + eight * T::kStrideQ;
      for (int r = 0; r < Br; ++r) {
        float4 w_reg[2], z_reg[D / 32];
        for (int h = 0; h < 2; ++h) w_reg[h] = W_smem[4 * h * T::kStrideP + r];
        for (int t = 0; t < D / 32; ++t) z_reg[t] = Z_smem[8 * t * T::kStrideQ + r];
        for (int t = 0; t < D / 32; ++t)
          for (int h = 0; h < 2; ++h) {
            add_product(sum_reg[4 * h][t], w_reg[h].x, z_reg[t]);
            add_product(sum_reg[4 * h + 1][t], w_reg[h].y, z_reg[t]);
            add_product(sum_reg[4 * h + 2][t], w_reg[h].z, z_reg[t]);
            add_product(sum_reg[4 * h + 3][t], w_reg[h].w, z_reg[t]);
          }
      }
      __syncthreads();  // dS is complete before all warps read it; Q and dO may be overwritten

      // dQ += dS K. Only this thread, in this and in later tiles, touches these numbers of dQ.
      float4 dq_reg[T::kRowsQ][T::kColsQ] = {}, old_reg[T::kRowsQ][T::kColsQ] = {};
      for (int r = 0; r < T::kRowsQ; ++r)
        for (int t = 0; t < T::kColsQ; ++t)
          if (!is_first && q_row + 4 * r < n_q)
            old_reg[r][t] = load_four<Vec>(dQ_head + (q0 + q_row + 4 * r) * d, q_col + 32 * t, d);
      for (int c = 0; c < Bc / 4; ++c) {
        float4 ds_reg[T::kRowsQ];
        for (int r = 0; r < T::kRowsQ; ++r) ds_reg[r] = dS_smem[c * T::kStrideP + q_row + 4 * r];
        for (int t = 0; t < T::kColsQ; ++t) {
          float4 k_reg[4];
          for (int n = 0; n < 4; ++n)
            k_reg[n] = K_smem[(q_col / 4 + 8 * t) * T::kStrideK + 4 * c + n];
          for (int r = 0; r < T::kRowsQ; ++r) {
            add_product(dq_reg[r][t], ds_reg[r].x, k_reg[0]);
            add_product(dq_reg[r][t], ds_reg[r].y, k_reg[1]);
            add_product(dq_reg[r][t], ds_reg[r].z, k_reg[2]);
            add_product(dq_reg[r][t], ds_reg[r].w, k_reg[3]);
          }
        }
      }
      for (int r = 0; r < T::kRowsQ; ++r)
        for (int t = 0; t < T::kColsQ; ++t) {
          add_product(old_reg[r][t], in.softmax_scale, dq_reg[r][t]);
          if (q_row + 4 * r < n_q)
            store_four<Vec>(dQ_head + (q0 + q_row + 4 * r) * d, q_col + 32 * t, d, old_reg[r][t]);
        }
    }

    // What this launch adds to dV or dK. The first launch stores, also where no query sees the key.
    float* const sum_head = (for_dV ? dV : dK) + (head * N_k + k0) * d;  // [n_k, d]
    const float scale = for_dV ? 1.0f : in.softmax_scale;
    for (int c = 0; c < 8; ++c)
      for (int t = 0; t < D / 32; ++t) {
        if (keys(c) >= n_k) continue;
        float* const row = sum_head + keys(c) * d;
        const int k = 32 * t + 4 * eight;
        float4 old = {};
        if (step > 0) old = load_four<Vec>(row, k, d);
        add_product(old, scale, sum_reg[c][t]);
        store_four<Vec>(row, k, d, old);
      }
  }
}

struct Plan {
  decltype(&gradients_kernel<32, float>) kernel;
  int Br;
  int shared_bytes;
};
template <int D>
Plan plan_for(bool vectorized) {
  return {
      vectorized ? gradients_kernel<D, float4> : gradients_kernel<D, float>, Tile<D>::Br,
      Tile<D>::kSharedBytes};
}

int64_t blocks_for(int64_t rows, int per_block) { return (rows + per_block - 1) / per_block; }

// G: how many blocks share a head, at most one for each of its tiles. The one that leaves the fewest
// of the GPU's places empty, if two blocks run at a time on each multiprocessor.
int64_t groups_for(int64_t heads, int64_t most, int places) {
  int64_t best = 1;
  double best_share = 0.0;  // of the places that have a block, over all rounds
  for (int64_t groups = 1; groups <= min(most, int64_t{places}); ++groups) {
    const int64_t blocks = heads * groups;
    const double share = double(blocks) / (blocks_for(blocks, places) * places);
    if (share > best_share + 0.01) best = groups, best_share = share;
  }
  return best;
}

}  // namespace

extern "C" cudaError_t attention_backward(
    const float* Q, const float* K, const float* V, const float* O, const float* LSE,
    const float* dO, float* dQ, float* dK, float* dV, AttentionShape shape, float softmax_scale,
    bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k;
  const int d = shape.head_dim;
  if (N_q > 0 && !(Q && O && LSE && dO && dQ)) return cudaErrorInvalidValue;
  if (N_k > 0 && !(K && V && dK && dV)) return cudaErrorInvalidValue;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (N_q < 0 || N_k < 0 || d < 1 || d > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;

  bool is_aligned = d % 4 == 0;  // every row of every tensor, to 16 bytes
  for (const void* tensor : std::initializer_list<const void*>{Q, K, V, O, dO, dQ, dK, dV})
    is_aligned = is_aligned && reinterpret_cast<uintptr_t>(tensor) % 16 == 0;
  const auto plan = d <= 32   ? plan_for<32>
                    : d <= 64 ? plan_for<64>
                    : d <= 96 ? plan_for<96>
                              : plan_for<128>;
  const auto [kernel, Br, shared_bytes] = plan(is_aligned);
  const auto d_kernel = is_aligned ? delta_kernel<float4> : delta_kernel<float>;

  int device = 0, multiprocessors = 0;
  CUDA_RETURN_IF_ERROR(cudaGetDevice(&device));
  CUDA_RETURN_IF_ERROR(
      cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  const int64_t heads = int64_t{shape.batch} * shape.num_heads, rows = heads * N_q;
  const int64_t T_r = blocks_for(N_q, Br), T_c = blocks_for(N_k, Bc);
  const int64_t groups = groups_for(heads, max(min(T_r, T_c), int64_t{1}), 2 * multiprocessors);
  // gridDim.x ends at 2^31 - 1.
  if (heads > INT32_MAX / groups) return cudaErrorInvalidValue;
  if (blocks_for(rows, kDeltaRows) > INT32_MAX) return cudaErrorInvalidValue;
  // More than 48 KiB of shared memory have to be asked for.
  CUDA_RETURN_IF_ERROR(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
  if (N_k == 0) return cudaMemsetAsync(dQ, 0, rows * d * sizeof(float), stream);  // dQ = 0

  float* delta = nullptr;  // [B, H, N_q]
  if (N_q > 0) CUDA_RETURN_IF_ERROR(cudaMallocAsync(&delta, rows * sizeof(float), stream));
  const Inputs in = {Q, O, dO, K, V, LSE, delta, rows, N_q, N_k, d, softmax_scale, causal};
  if (N_q > 0) d_kernel<<<blocks_for(rows, kDeltaRows), kThreads, 0, stream>>>(in, delta);
  for (int step = 0; step < groups; ++step)
    kernel<<<heads * groups, kThreads, shared_bytes, stream>>>(in, dQ, dK, dV, groups, step);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = delta ? cudaFreeAsync(delta, stream) : cudaSuccess;
  return launched != cudaSuccess ? launched : freed;
}
