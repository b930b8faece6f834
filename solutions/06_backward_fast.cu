// Lesson 06: the backward pass made fast, five products on rectangles in registers.
//
// Before    two passes, seven products: S and dP are computed for dQ, and again for dK and dV.
// Change    a rewrite. One kernel; half of its warps compute S and then dV, half dP and then dK,
//           and all add dS K to dQ in global memory. Blocks that would add to the same rows of dQ
//           are in different launches: no atomics, and every run gives the same bits.
// Why       2 / 7 fewer multiply-adds, and 1.1 bytes from shared memory for each (d = 64), not 4.
// Grid      D: ceil(B H N_q / 16) blocks. Gradients: G launches of B H G blocks; in launch s
//           block (head, g) works on key tiles g, g + G, .. and on query tiles h, h + G, .., where
//           h = (g + s) % G.
// Block     128 threads, tiles of 64 keys and of 64 queries (d <= 64) or 16; where a block may have
//           198 KiB of shared memory, 256 threads, 128 keys and 32 queries for d > 64.
// Shared    92, 99 or 198 KiB: tiles of Q, dO, K, V, P and dS.
// Requires  head_dim <= 128, num_heads_kv = num_heads. Scratch: D, one float per query.
//
// No lesson: longer than one, because the loads of the next tile, the mask and the edges of tiles
// are written out beside the five products. What was tried: lessons/06_backward/worklog.md.
#include <cmath>
#include <cstdint>
#include <initializer_list>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr float kLog2e = 1.44269504f;  // exp(x) = exp2(x * log2(e))
constexpr int kDeltaRows = 16;         // rows of D per block, 8 lanes on each

// The sizes of a kernel for head dimensions up to D, with kPairs warps for dV and as many for dK. A
// tile lies in shared memory by columns of float4: numbers 4 k to 4 k + 3 of row r are float4
// k * stride + r. With rows + 1 as the stride, 8 neighbours in a row or in a column are in
// different banks; P and dS, of which 4 rows and 2 columns are stored at a time, need rows + 4.
template <int D, int kPairs>
struct Tile {
  static constexpr int Br = D <= 64 ? 64 : 8 * kPairs, Bc = 32 * kPairs;         // queries, keys
  static constexpr int kStrideQ = Br + 1, kStrideK = Bc + 1, kStrideP = Br + 4;  // float4
  static constexpr int kSharedVecs = D / 2 * (kStrideQ + kStrideK) + Bc / 2 * kStrideP;
};

// What the kernels read and write. Sizes are 64-bit, because their products pass 2^31.
struct Tensors {
  const float *Q, *O, *dO, *LSE;  // [B, H, N_q, d], but LSE [B, H, N_q]
  const float *K, *V;             // [B, H, N_k, d]
  float *delta, *dQ, *dK, *dV;    // [B, H, N_q]; like Q, K, V
  int64_t rows, N_q, N_k;         // B * H * N_q; queries and keys of a head
  int d;
  float softmax_scale;
  bool causal;
};

__device__ float4 pack(const float* a) { return {a[0], a[1], a[2], a[3]}; }
__device__ void unpack(float* a, float4 x) { a[0] = x.x, a[1] = x.y, a[2] = x.z, a[3] = x.w; }

// Columns k to k + 3 of row r of rows [n, d]; 0 behind row n or column d. Vec: see lesson 04.
template <typename Vec>
__device__ float4 load_four(const float* rows, int64_t r, int k, int64_t n, int d) {
  const auto at = [=](int m) { return r < n && m < d ? rows[r * d + m] : 0.0f; };
  if constexpr (sizeof(Vec) == sizeof(float)) return {at(k), at(k + 1), at(k + 2), at(k + 3)};
  return r < n && k < d ? *reinterpret_cast<const float4*>(rows + r * d + k) : float4{};
}
template <typename Vec>
__device__ void store_four(float* rows, int r, int k, int n, int d, const float* x) {
  for (int m = 0; m < 4 && sizeof(Vec) == sizeof(float); ++m)
    if (r < n && k + m < d) rows[r * d + k + m] = x[m];
  if (sizeof(Vec) == sizeof(float4) && r < n && k < d)
    *reinterpret_cast<float4*>(rows + r * d + k) = pack(x);
}

// Copies rows [n, d] to a tile of kTileRows rows: the whole tile; or kParts float4 of each thread
// to registers, and later from there. The whole block takes part.
template <int kTileRows, int D, typename Vec>
__device__ void load_tile(float4* tile_smem, const float* rows, int n, int d) {
#pragma unroll 4
  for (int v = threadIdx.x; v < kTileRows * D / 4; v += blockDim.x)
    tile_smem[v % (D / 4) * (kTileRows + 1) + v / (D / 4)] =
        load_four<Vec>(rows, v / (D / 4), v % (D / 4) * 4, n, d);
}
template <int D, typename Vec, int kParts>
__device__ void fetch(float4 (&x_reg)[kParts], const float* rows, int n, int d) {
#pragma unroll
  for (int m = 0, v = threadIdx.x; m < kParts; ++m, v += blockDim.x)
    x_reg[m] = load_four<Vec>(rows, v / (D / 4), v % (D / 4) * 4, n, d);
}
template <int kTileRows, int D, int kParts>
__device__ void put(float4* tile_smem, const float4 (&x_reg)[kParts]) {
#pragma unroll
  for (int m = 0, v = threadIdx.x; m < kParts; ++m, v += blockDim.x)
    tile_smem[v % (D / 4) * (kTileRows + 1) + v / (D / 4)] = x_reg[m];
}

template <typename Vec>
__global__ void delta_kernel(Tensors in) {
  const int64_t row = int64_t{blockIdx.x} * kDeltaRows + threadIdx.x / 8;
  float sum = 0.0f;
  for (int k = threadIdx.x % 8 * 4; k < in.d; k += 32) {
    const float4 a = load_four<Vec>(in.dO, row, k, in.rows, in.d);
    const float4 b = load_four<Vec>(in.O, row, k, in.rows, in.d);
    sum += a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
  }
  for (int bit = 1; bit < 8; bit *= 2) sum += __shfl_xor_sync(0xffffffff, sum, bit);
  if (row < in.rows && threadIdx.x % 8 == 0) in.delta[row] = sum;
}

// Launch number step of groups launches.
template <int D, int kPairs, typename Vec>
__global__ void __launch_bounds__(64 * kPairs, 4 / kPairs)
    gradients_kernel(Tensors in, int groups, int step) {
  using T = Tile<D, kPairs>;
  constexpr int Br = T::Br, Bc = T::Bc, kRows = Br / 8, kCols = D / 8 / kPairs;
  constexpr int kStrideQ = T::kStrideQ, kStrideK = T::kStrideK, kStrideP = T::kStrideP;
  extern __shared__ float4 smem[];
  float4* const Q_smem = smem;                         // [Br, D]
  float4* const dO_smem = Q_smem + D / 4 * kStrideQ;   // [Br, D]
  float4* const K_smem = dO_smem + D / 4 * kStrideQ;   // [Bc, D]
  float4* const V_smem = K_smem + D / 4 * kStrideK;    // [Bc, D]
  float4* const P_smem = V_smem + D / 4 * kStrideK;    // [Br, Bc]
  float4* const dS_smem = P_smem + Bc / 4 * kStrideP;  // [Br, Bc], times softmax_scale

  const int warp_id = threadIdx.x / 32;
  const bool for_dV = warp_id < kPairs;  // S, P and dV; else dP, dS and dK
  // Bits 0 and 4 of the lane choose one of 4, bits 1 to 3 one of 8; why: see lesson 07. A thread
  // has of S and dP rows eight + 8 r and keys key(c), of dV and dK keys key(c) and columns
  // 4 eight + 32 t to + 3, of dQ rows eight + 8 r and columns q_col + 16 t to + 3.
  const int four = threadIdx.x % 32 / 16 * 2 + threadIdx.x % 2, eight = threadIdx.x / 2 % 8;
  const int key0 = warp_id % kPairs * 32 + 4 * four;
  const auto key = [=](int c) { return key0 + c / 4 * 16 + c % 4; };
  const int q_col = warp_id * (4 * kCols) + 4 * four;

  const int64_t head = blockIdx.x / groups;  // b * H + h, counted over all batches
  const int64_t g = blockIdx.x % groups, N_q = in.N_q, N_k = in.N_k;
  const int d = in.d;
  const float* const Q_head = in.Q + head * N_q * d;                         // [N_q, d]
  const float* const dO_head = in.dO + head * N_q * d;                       // [N_q, d]
  const float* const stat_head = (for_dV ? in.LSE : in.delta) + head * N_q;  // [N_q]

  for (int64_t k0 = g * Bc; k0 < N_k; k0 += int64_t{groups} * Bc) {
    const int n_k = min(N_k - k0, int64_t{Bc});
    const bool is_first = step == 0 && k0 == g * Bc;  // nothing is in dQ yet: visit all its tiles
    // Query i sees key k if i >= k + N_q - N_k.
    const int64_t from = in.causal && !is_first ? max(k0 + N_q - N_k, int64_t{0}) / Br : 0;
    int64_t i = (g + step) % groups;
    if (i < from) i += (from - i + groups - 1) / groups * groups;

    __syncthreads();  // every warp is done with the previous tiles before these overwrite them
    load_tile<Bc, D, Vec>(K_smem, in.K + (head * N_k + k0) * d, n_k, d);
    load_tile<Bc, D, Vec>(V_smem, in.V + (head * N_k + k0) * d, n_k, d);
    const int n_first = min(N_q - i * Br, int64_t{Br});  // below 1: no tile
    load_tile<Br, D, Vec>(Q_smem, Q_head + i * Br * d, n_first, d);
    load_tile<Br, D, Vec>(dO_smem, dO_head + i * Br * d, n_first, d);
    float sum_reg[8][D / 8] = {};  // a piece of dV or dK, over all query tiles
    for (int64_t q0 = i * Br; q0 < N_q; q0 += int64_t{groups} * Br) {
      const int n_q = min(N_q - q0, int64_t{Br});
      float stat_reg[kRows];  // LSE or D; behind the last query such that P and dS become 0
      for (int r = 0; r < kRows; ++r) {
        stat_reg[r] = for_dV ? INFINITY : 0.0f;
        if (eight + 8 * r < n_q) stat_reg[r] = stat_head[q0 + eight + 8 * r];
      }
      __syncthreads();  // the tiles are complete before any warp reads them

      // S = Q K^T or dP = dO V^T. Every second column upwards: one factor stays at hand.
      float s_reg[kRows][8] = {};
      const float4* const X_smem = (for_dV ? Q_smem : dO_smem) + eight;
      const float4* const Y_smem = (for_dV ? K_smem : V_smem) + key0;
      for (int k = 0; 4 * k < d; ++k) {
        float x_reg[kRows][4], y_reg[8][4];
        for (int r = 0; r < kRows; ++r) unpack(x_reg[r], X_smem[k * kStrideQ + 8 * r]);
        for (int c = 0; c < 8; ++c) unpack(y_reg[c], Y_smem[k * kStrideK + key(c) - key0]);
        for (int n = 0; n < 4; ++n)
          for (int c = 0; c < 8; c += 2) {
            for (int r = 0; r < kRows; ++r) s_reg[r][c] += x_reg[r][n] * y_reg[c][n];
            for (int r = kRows - 1; r >= 0; --r) s_reg[r][c + 1] += x_reg[r][n] * y_reg[c + 1][n];
          }
      }
      // S and LSE times log2(e), because of exp2; dP and D times scale.
      const float factor = for_dV ? kLog2e : in.softmax_scale;
      const float factor_s = for_dV ? kLog2e * in.softmax_scale : in.softmax_scale;
      for (int r = 0; r < kRows; ++r)
        for (int c = 0; c < 8; ++c) s_reg[r][c] = s_reg[r][c] * factor_s - stat_reg[r] * factor;

      // P = exp(S - LSE), and then dS = P o (dP - D).
      float4* const P_own = P_smem + key0 / 4 * kStrideP + eight;
      float4* const dS_own = dS_smem + key0 / 4 * kStrideP + eight;
      if (for_dV) {
        for (int r = 0; r < kRows; ++r)
          for (int c = 0; c < 8; ++c) s_reg[r][c] = exp2f(s_reg[r][c]);
        // Query q of the tile sees key c of the tile if c <= q + diagonal.
        const int64_t diagonal = in.causal ? q0 - k0 + N_k - N_q : Bc;
        if (n_k < Bc || diagonal < Bc - 1)
          for (int r = 0; r < kRows; ++r)
            for (int c = 0; c < 8; ++c)
              if (key(c) > eight + 8 * r + diagonal || key(c) >= n_k) s_reg[r][c] = 0.0f;
        for (int r = 0; r < kRows; ++r)
          for (int c = 0; c < 8; c += 4) P_own[c * kStrideP + 8 * r] = pack(s_reg[r] + c);
      }
      __syncthreads();  // P is complete before the warps for dK read it
      for (int r = 0; r < kRows && !for_dV; ++r)
        for (int c = 0; c < 8; c += 4) {
          const float4 p = P_own[c * kStrideP + 8 * r], x = pack(s_reg[r] + c);
          dS_own[c * kStrideP + 8 * r] = {p.x * x.x, p.y * x.y, p.z * x.z, p.w * x.w};
        }
      __syncwarp();  // the warp's keys of P or dS are complete before other lanes read them

      // A piece of dQ, to be added to. Only this thread touches it, in this tile and in later ones.
      float* const dQ_tile = in.dQ + (head * N_q + q0) * d;  // [n_q, d]
      const int n_old = is_first ? 0 : n_q;
      float dq_reg[kRows][kCols];
      for (int r = 0; r < kRows; ++r)
        for (int t = 0; t < kCols; t += 4)
          unpack(dq_reg[r] + t, load_four<Vec>(dQ_tile, eight + 8 * r, q_col + 4 * t, n_old, d));

      // dV += P^T dO or dK += dS^T Q, for the warp's own keys.
      const float4* const W_smem = (for_dV ? P_own : dS_own) - eight;
      const float4* const Z_smem = (for_dV ? dO_smem : Q_smem) + eight * kStrideQ;
      for (int q = 0; q < n_q; q += 16)
#pragma unroll 4
        for (int r = q; r < q + 16; ++r) {
          float w_reg[8], z_reg[D / 8];
          for (int c = 0; c < 8; c += 4) unpack(w_reg + c, W_smem[c * kStrideP + r]);
          for (int t = 0; t < D / 8; t += 4) unpack(z_reg + t, Z_smem[2 * t * kStrideQ + r]);
          for (int t = 0; t < D / 8; t += 2) {
            for (int c = 0; c < 8; ++c) sum_reg[c][t] += w_reg[c] * z_reg[t];
            for (int c = 7; c >= 0; --c) sum_reg[c][t + 1] += w_reg[c] * z_reg[t + 1];
          }
        }
      __syncthreads();  // dS is complete before all warps read it; Q and dO may be overwritten

      // dQ += dS K, in two halves: meanwhile the next tile of Q arrives, then that of dO; but after
      // them where there are too few registers.
      constexpr bool is_ahead = sizeof(Vec) == sizeof(float4) && D == 32 * kPairs;
      const int64_t q1 = q0 + int64_t{groups} * Br;
      const int n_next = min(N_q - q1, int64_t{Br});
#pragma unroll 1
      for (int half = 0; half < 2; ++half) {
        const float* const rows = (half == 0 ? Q_head : dO_head) + q1 * d;
        float4 next_reg[Br * D / 4 / (64 * kPairs)];
        if (is_ahead) fetch<D, Vec>(next_reg, rows, n_next, d);
#pragma unroll 2
        for (int c = half * Bc / 8; c < (half + 1) * Bc / 8; ++c) {
          float ds_reg[kRows][4], k_reg[4];
          for (int r = 0; r < kRows; ++r) unpack(ds_reg[r], dS_smem[c * kStrideP + eight + 8 * r]);
          for (int n = 0; n < 4; ++n)
            for (int t = 0; t < kCols; t += 4) {
              unpack(k_reg, K_smem[(q_col / 4 + t) * kStrideK + 4 * c + n]);
              for (int r = 0; r < kRows; r += 2) {
                for (int m = 0; m < 4; ++m) dq_reg[r][t + m] += ds_reg[r][n] * k_reg[m];
                for (int m = 3; m >= 0; --m) dq_reg[r + 1][t + m] += ds_reg[r + 1][n] * k_reg[m];
              }
            }
        }
        if (!is_ahead) fetch<D, Vec>(next_reg, rows, n_next, d);
        put<Br, D>(half == 0 ? Q_smem : dO_smem, next_reg);
      }
      for (int r = 0; r < kRows; ++r)
        for (int t = 0; t < kCols; t += 4)
          store_four<Vec>(dQ_tile, eight + 8 * r, q_col + 4 * t, n_q, d, dq_reg[r] + t);
    }

    // The first launch stores dV or dK, also where no query sees the key; the others add to it.
    float* const sum_tile = (for_dV ? in.dV : in.dK) + (head * N_k + k0) * d;  // [n_k, d]
#pragma unroll
    for (int c = 0; c < 8; ++c)
#pragma unroll
      for (int t = 0; t < D / 8; t += 4) {
        float old[4];
        unpack(old, load_four<Vec>(sum_tile, key(c), 4 * eight + 8 * t, step > 0 ? n_k : 0, d));
        for (int n = 0; n < 4; ++n) old[n] += sum_reg[c][t + n];
        store_four<Vec>(sum_tile, key(c), 4 * eight + 8 * t, n_k, d, old);
      }
  }
}

struct Plan {
  decltype(&delta_kernel<float>) delta_kernel;
  decltype(&gradients_kernel<64, 2, float>) gradients_kernel;
  int Br, Bc, bytes;  // of shared memory
};
template <int D, int kPairs, typename Vec>
Plan plan_for(Vec) {
  using T = Tile<D, kPairs>;
  const int bytes = T::kSharedVecs * sizeof(float4);
  return {delta_kernel<Vec>, gradients_kernel<D, kPairs, Vec>, T::Br, T::Bc, bytes};
}

int64_t blocks_for(int64_t rows, int64_t per_block) { return (rows + per_block - 1) / per_block; }

}  // namespace

extern "C" cudaError_t attention_backward(
    const float* Q, const float* K, const float* V, const float* O, const float* LSE,
    const float* dO, float* dQ, float* dK, float* dV, AttentionShape shape, float softmax_scale,
    bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k;
  const int H = shape.num_heads, H_kv = shape.num_heads_kv, d = shape.head_dim;
  if (N_q > 0 && !(Q && O && LSE && dO && dQ)) return cudaErrorInvalidValue;
  if (N_k > 0 && !(K && V && dK && dV)) return cudaErrorInvalidValue;
  if (shape.batch < 1 || H < 1 || H_kv < 1 || H % H_kv != 0) return cudaErrorInvalidValue;
  if (N_q < 0 || N_k < 0 || d < 1 || d > kMaxHeadDim) return cudaErrorInvalidValue;
  if (H_kv != H) return cudaErrorNotSupported;

  int device = 0, units = 0, shared = 0;  // multiprocessors; the most bytes that a block may have
  CUDA_RETURN_IF_ERROR(cudaGetDevice(&device));
  CUDA_RETURN_IF_ERROR(cudaDeviceGetAttribute(&units, cudaDevAttrMultiProcessorCount, device));
  CUDA_RETURN_IF_ERROR(
      cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  const auto choose = [=](auto vec) {
    const Plan large = plan_for<128, 4>(vec);
    return d <= 64 ? plan_for<64, 2>(vec) : large.bytes <= shared ? large : plan_for<128, 2>(vec);
  };
  bool is_aligned = d % 4 == 0;  // every row of every tensor, to 16 bytes
  for (const void* tensor : std::initializer_list<const void*>{Q, K, V, O, dO, dQ, dK, dV})
    is_aligned = is_aligned && reinterpret_cast<uintptr_t>(tensor) % 16 == 0;
  const auto [d_kernel, kernel, Br, Bc, shared_bytes] =
      is_aligned ? choose(float4{}) : choose(0.0f);

  // As many blocks as run at a time, if there are as many tiles.
  const int64_t heads = int64_t{shape.batch} * H, rows = heads * N_q;
  const int64_t tiles = min(blocks_for(N_q, Br), blocks_for(N_k, Bc));
  const int groups = max(min(units * 128 / Bc / heads, tiles), int64_t{1});
  // gridDim.x ends at 2^31 - 1. More than 48 KiB of shared memory have to be asked for.
  const int64_t d_blocks = blocks_for(rows, kDeltaRows);
  if (heads > INT32_MAX / groups || d_blocks > INT32_MAX) return cudaErrorInvalidValue;
  CUDA_RETURN_IF_ERROR(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
  if (N_k == 0) return rows > 0 ? cudaMemsetAsync(dQ, 0, rows * d * 4, stream) : cudaSuccess;

  float* delta = nullptr;
  if (N_q > 0) CUDA_RETURN_IF_ERROR(cudaMallocAsync(&delta, rows * sizeof(float), stream));
  const Tensors in = {Q,  O,  dO,   LSE, K,   V, delta,         dQ,
                      dK, dV, rows, N_q, N_k, d, softmax_scale, causal};
  if (N_q > 0) d_kernel<<<d_blocks, 8 * kDeltaRows, 0, stream>>>(in);
  for (int step = 0; step < groups; ++step)
    kernel<<<heads * groups, 2 * Bc, shared_bytes, stream>>>(in, groups, step);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = delta ? cudaFreeAsync(delta, stream) : cudaSuccess;
  return launched != cudaSuccess ? launched : freed;
}
