// corpus: passes
// Blocks of 8 x 16 threads with a register tile of 2 queries x 2 keys each, K transposed and padded
// in shared memory, and P handed over through shared memory inside the warp.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int Br = 32;  // queries per block
constexpr int Bc = 16;  // keys per tile
constexpr int kX = 8;   // threads along the keys, and along the columns of O
constexpr int kY = 16;  // threads along the queries
constexpr int kThreads = kX * kY;
constexpr int kRows = Br / kY;                 // queries per thread
constexpr int kKeys = Bc / kX;                 // keys per thread
constexpr int kCols = kMaxHeadDim / (4 * kX);  // float4s of a row of O per thread

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

// The maximum, and the sum, over the 8 threads that share queries.
__device__ float row_max(float x) {
  for (int offset = kX / 2; offset > 0; offset /= 2)
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset, kX));
  return x;
}

__device__ float row_sum(float x) {
  for (int offset = kX / 2; offset > 0; offset /= 2)
    x += __shfl_xor_sync(0xffffffffu, x, offset, kX);
  return x;
}

template <bool kWide>
__global__ void __launch_bounds__(kThreads) register_tile_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int d, int64_t tiles, float softmax_scale) {
  const int d4 = (d + 3) / 4;
  const int x = threadIdx.x, y = threadIdx.y, thread = y * kX + x;
  const int64_t head = blockIdx.x / tiles;
  const int64_t i0 = blockIdx.x % tiles * Br;

  __shared__ float4 Q_smem[Br][kMaxHeadDim / 4];
  __shared__ float K_smem[kMaxHeadDim][Bc + 1];  // transposed; + 1 against bank conflicts
  __shared__ float4 V_smem[Bc][kMaxHeadDim / 4];
  __shared__ float P_smem[Br][Bc + 1];

  for (int n = thread; n < Br * d4; n += kThreads) {
    const int r = n / d4, k = n % d4;
    Q_smem[r][k] =
        i0 + r < N_q ? load_four<kWide>(Q + (head * N_q + i0 + r) * d, 4 * k, d) : float4{};
  }
  float4 o[kRows][kCols] = {};
  float m[kRows], l[kRows];
  for (int r = 0; r < kRows; ++r) m[r] = -INFINITY, l[r] = 0.0f;

  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    for (int n = thread; n < Bc * d4; n += kThreads) {
      const int c = n / d4, k = n % d4;
      const int64_t key = (head * N_k + j0 + c) * d;
      const bool has_key = j0 + c < N_k;
      const float4 four = has_key ? load_four<kWide>(K + key, 4 * k, d) : float4{};
      K_smem[4 * k][c] = four.x;
      K_smem[4 * k + 1][c] = four.y;
      K_smem[4 * k + 2][c] = four.z;
      K_smem[4 * k + 3][c] = four.w;
      V_smem[c][k] = has_key ? load_four<kWide>(V + key, 4 * k, d) : float4{};
    }
    __syncthreads();  // the tiles are complete

    // Queries y, y + 16 and keys x, x + 8.
    float s[kRows][kKeys] = {};
    for (int k = 0; k < d4; ++k)
      for (int r = 0; r < kRows; ++r) {
        const float4 q = Q_smem[y + kY * r][k];
        for (int c = 0; c < kKeys; ++c) {
          const int key = x + kX * c;
          s[r][c] += q.x * K_smem[4 * k][key];
          s[r][c] += q.y * K_smem[4 * k + 1][key];
          s[r][c] += q.z * K_smem[4 * k + 2][key];
          s[r][c] += q.w * K_smem[4 * k + 3][key];
        }
      }
    for (int r = 0; r < kRows; ++r) {
      float m_new = m[r];
      for (int c = 0; c < kKeys; ++c) {
        s[r][c] = j0 + x + kX * c < N_k ? s[r][c] * softmax_scale : -INFINITY;
        m_new = fmaxf(m_new, s[r][c]);
      }
      m_new = row_max(m_new);
      const float rescale = expf(m[r] - m_new);
      float sum = 0.0f;
      for (int c = 0; c < kKeys; ++c) {
        const float p = expf(s[r][c] - m_new);
        P_smem[y + kY * r][x + kX * c] = p;
        sum += p;
      }
      l[r] = l[r] * rescale + row_sum(sum);
      m[r] = m_new;
      for (int g = 0; g < kCols; ++g) o[r][g] = scaled(o[r][g], rescale);
    }
    __syncwarp();  // a row of P is written and read by the same 8 lanes

    // Queries y, y + 16 and float4s x, x + 8, x + 16, x + 24 of the row.
    for (int c = 0; c < Bc; ++c)
      for (int g = 0; g < kCols; ++g) {
        const int k = x + kX * g;
        if (k >= d4) break;
        const float4 v = V_smem[c][k];
        for (int r = 0; r < kRows; ++r) o[r][g] = plus(o[r][g], scaled(v, P_smem[y + kY * r][c]));
      }
    __syncthreads();  // all are done with the tiles
  }

  for (int r = 0; r < kRows; ++r) {
    const int64_t i = i0 + y + kY * r;
    if (i >= N_q) continue;
    const float inverse = l[r] > 0.0f ? 1.0f / l[r] : 0.0f;
    for (int g = 0; g < kCols; ++g)
      if (x + kX * g < d4)
        store_four<kWide>(O + (head * N_q + i) * d, 4 * (x + kX * g), d, scaled(o[r][g], inverse));
    if (LSE != nullptr && x == 0) LSE[head * N_q + i] = m[r] + logf(l[r]);
  }
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
  const auto kernel = wide ? register_tile_kernel<true> : register_tile_kernel<false>;
  kernel<<<dim3(heads * tiles), dim3(kX, kY), 0, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, tiles, softmax_scale);
  return cudaGetLastError();
}
