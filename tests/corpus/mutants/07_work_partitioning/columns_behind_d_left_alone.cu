// corpus: fails one_tile (not finite | wrong values)
// corpus: survives launches
// corpus: on a GPU fails one_tile or head_dims (wrong values | not finite)
// Loads the d columns that there are; what lies behind them in the rows of the tiles is left as it
// was, and takes part in the scores.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kLanes = 8;  // threads that share a row
constexpr int kThreads = 64;
constexpr int Br = 32;
constexpr int Bc = 32;
constexpr int kRows = 4;        // rows per thread, and keys
constexpr int kPitch = Bc + 4;  // floats between rows of P

// Columns k to k + 3 of row r of [N, d]; zeros where there are none.
__device__ float4 load_four(const float* rows, int64_t r, int64_t N, int k, int d, bool wide) {
  if (r >= N || k >= d) return float4{};
  const float* const at = rows + r * d + k;
  if (wide) return *reinterpret_cast<const float4*>(at);
  return {at[0], k + 1 < d ? at[1] : 0.0f, k + 2 < d ? at[2] : 0.0f, k + 3 < d ? at[3] : 0.0f};
}

__device__ void store_four(float* at, int k, int d, bool wide, float4 a) {
  if (wide && k < d) *reinterpret_cast<float4*>(at + k) = a;
  if (wide) return;
  const float values[4] = {a.x, a.y, a.z, a.w};
  for (int n = 0; n < 4; ++n)
    if (k + n < d) at[k + n] = values[n];
}

__device__ float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
__device__ float4 scaled(float4 a, float s) { return {a.x * s, a.y * s, a.z * s, a.w * s}; }
__device__ void add(float4& o, float p, float4 v) {
  o = {o.x + p * v.x, o.y + p * v.y, o.z + p * v.z, o.w + p * v.w};
}

// A tile of rows first, first + 1, ... of [N, d], as [rows, D + 4].
template <int D>
__device__ void load_tile(
    float* tile, int rows, const float* head, int64_t first, int64_t N, int d, bool wide) {
  constexpr int D4 = D / 4;
  for (int n = threadIdx.x; n < rows * D4; n += kThreads)
    if (n % D4 * 4 < d)
      *reinterpret_cast<float4*>(tile + n / D4 * (D + 4) + n % D4 * 4) =
          load_four(head, first + n / D4, N, n % D4 * 4, d, wide);
}

template <int D>
__global__ void __launch_bounds__(kThreads) attention_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int d, int heads, int group, int64_t tiles, float scale, bool causal, bool wide) {
  constexpr int kStride = D + 4;
  constexpr int kFours = D / 4 / kLanes;  // float4s of O per row and thread
  extern __shared__ float4 smem[];
  float* const Q_smem = reinterpret_cast<float*>(smem);  // [Br, D + 4]
  float* const K_smem = Q_smem + Br * kStride;           // [Bc, D + 4]
  float* const V_smem = K_smem + Bc * kStride;           // [Bc, D + 4]
  float* const P_smem = V_smem + Bc * kStride;           // [Br, Bc + 4]
  const int x = threadIdx.x % kLanes, y = threadIdx.x / kLanes;
  const int64_t head = blockIdx.x / tiles;  // over all batches
  const int64_t kv_head = head / heads * (heads / group) + head % heads / group;
  const int64_t i0 = (tiles - 1 - blockIdx.x % tiles) * Br;  // the last rows see most: first
  const int64_t offset = N_k - N_q;
  const float* const K_head = K + kv_head * N_k * d;
  const float* const V_head = V + kv_head * N_k * d;

  load_tile<D>(Q_smem, Br, Q + head * N_q * d, i0, N_q, d, wide);
  float m[kRows], l[kRows] = {};
  float4 o[kRows][kFours] = {};
  for (int r = 0; r < kRows; ++r) m[r] = -INFINITY;
  int64_t end = N_k;
  if (causal) end = min(i0 + Br, N_q) + offset;
  for (int64_t j0 = 0; j0 < end; j0 += Bc) {
    __syncthreads();  // all are done with the tiles before
    load_tile<D>(K_smem, Bc, K_head, j0, N_k, d, wide);
    load_tile<D>(V_smem, Bc, V_head, j0, N_k, d, wide);
    __syncthreads();  // the tiles are there, and Q

    // Rows 4 y to 4 y + 3, keys x, x + 8, x + 16, x + 24.
    float s[kRows][kRows] = {};
    for (int k = 0; k < D; k += 4) {
      float4 q[kRows], key[kRows];
      for (int r = 0; r < kRows; ++r)
        q[r] = *reinterpret_cast<float4*>(Q_smem + (kRows * y + r) * kStride + k);
      for (int c = 0; c < kRows; ++c)
        key[c] = *reinterpret_cast<float4*>(K_smem + (x + kLanes * c) * kStride + k);
      for (int r = 0; r < kRows; ++r)
        for (int c = 0; c < kRows; ++c) s[r][c] += dot(q[r], key[c]);
    }
    for (int r = 0; r < kRows; ++r) {
      const int64_t i = i0 + kRows * y + r;
      const int64_t seen = causal ? min(i + 1 + offset, N_k) : N_k;
      float m_new = m[r];
      for (int c = 0; c < kRows; ++c) {
        s[r][c] = j0 + x + kLanes * c < seen ? scale * s[r][c] : -INFINITY;
        m_new = fmaxf(m_new, s[r][c]);
      }
      for (int lanes = 1; lanes < kLanes; lanes *= 2)
        m_new = fmaxf(m_new, __shfl_xor_sync(~0u, m_new, lanes));
      const float base = m_new == -INFINITY ? 0.0f : m_new;
      const float rescale = expf(m[r] - base);
      l[r] *= rescale;
      for (int n = 0; n < kFours; ++n) o[r][n] = scaled(o[r][n], rescale);
      for (int c = 0; c < kRows; ++c) {
        const float p = expf(s[r][c] - base);
        l[r] += p;  // this thread's part of the row
        P_smem[(kRows * y + r) * kPitch + x + kLanes * c] = p;
      }
      m[r] = m_new;
    }
    __syncwarp();  // the warp's rows of P are complete
    for (int c = 0; c < Bc; c += 4) {
      float4 p[kRows];
      for (int r = 0; r < kRows; ++r)
        p[r] = *reinterpret_cast<float4*>(P_smem + (kRows * y + r) * kPitch + c);
      for (int n = 0; n < kFours; ++n) {
        const float* const v = V_smem + c * kStride + 4 * (x + kLanes * n);
        const float4 v0 = *reinterpret_cast<const float4*>(v);
        const float4 v1 = *reinterpret_cast<const float4*>(v + kStride);
        const float4 v2 = *reinterpret_cast<const float4*>(v + 2 * kStride);
        const float4 v3 = *reinterpret_cast<const float4*>(v + 3 * kStride);
        for (int r = 0; r < kRows; ++r) {
          add(o[r][n], p[r].x, v0);
          add(o[r][n], p[r].y, v1);
          add(o[r][n], p[r].z, v2);
          add(o[r][n], p[r].w, v3);
        }
      }
    }
    __syncwarp();  // the warp is done with its rows of P
  }

  for (int r = 0; r < kRows; ++r) {
    for (int lanes = 1; lanes < kLanes; lanes *= 2) l[r] += __shfl_xor_sync(~0u, l[r], lanes);
    const int64_t i = i0 + kRows * y + r;
    if (i >= N_q) continue;
    const float inverse = l[r] == 0.0f ? 0.0f : 1.0f / l[r];
    for (int n = 0; n < kFours; ++n)
      store_four(O + (head * N_q + i) * d, 4 * (x + kLanes * n), d, wide, scaled(o[r][n], inverse));
    if (LSE != nullptr && x == 0) LSE[head * N_q + i] = m[r] + logf(l[r]);
  }
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k;
  const int d = shape.head_dim;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (N_q < 0 || N_k < 0 || d < 1 || d > kMaxHeadDim) return cudaErrorInvalidValue;
  if (N_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (N_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t tiles = (N_q + Br - 1) / Br;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  const auto is_aligned = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; };
  const bool wide = d % 4 == 0 && is_aligned(Q) && is_aligned(K) && is_aligned(V) && is_aligned(O);

  const int D = d <= 32 ? 32 : d <= 64 ? 64 : d <= 96 ? 96 : 128;
  const auto kernel = D == 32   ? attention_kernel<32>
                      : D == 64 ? attention_kernel<64>
                      : D == 96 ? attention_kernel<96>
                                : attention_kernel<128>;
  const size_t bytes = ((Br + 2 * Bc) * (D + 4) + Br * kPitch) * sizeof(float);
  const cudaError_t set = cudaFuncSetAttribute(
      kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
  if (set != cudaSuccess) return set;
  kernel<<<heads * tiles, kThreads, bytes, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, shape.num_heads, shape.num_heads / shape.num_heads_kv, tiles,
      softmax_scale, causal, wide);
  return cudaGetLastError();
}
