// corpus: passes
// The head dimension is a template argument, rounded up to 32, 64 or 128: all inner loops have
// fixed lengths, and the columns past d are zeros.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int Br = 64;
constexpr int Bc = 8;

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

// D: the head dimension, rounded up to 32, 64 or 128 and filled up with zeros.
template <int D, bool kWide>
__global__ void padded_kernel(
    const float* __restrict__ Q, const float* __restrict__ K, const float* __restrict__ V,
    float* __restrict__ O, float* __restrict__ LSE, int64_t N_q, int64_t N_k, int d, int64_t tiles,
    float softmax_scale) {
  constexpr int D4 = D / 4;
  const int64_t head = blockIdx.x / tiles;
  const int64_t i = blockIdx.x % tiles * Br + threadIdx.x;
  const bool has_query = i < N_q;
  __shared__ float4 K_smem[Bc][D4];
  __shared__ float4 V_smem[Bc][D4];

  float4 q[D4], o[D4];
#pragma unroll
  for (int k = 0; k < D4; ++k) {
    const bool has_columns = has_query && 4 * k < d;
    q[k] = has_columns ? load_four<kWide>(Q + (head * N_q + i) * d, 4 * k, d) : float4{};
    o[k] = float4{};
  }
  float m = -INFINITY, l = 0.0f;
  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    for (int n = threadIdx.x; n < Bc * D4; n += Br) {
      const int c = n / D4, k = n % D4;
      const bool has_columns = j0 + c < N_k && 4 * k < d;
      const int64_t offset = (head * N_k + j0 + c) * d;
      K_smem[c][k] = has_columns ? load_four<kWide>(K + offset, 4 * k, d) : float4{};
      V_smem[c][k] = has_columns ? load_four<kWide>(V + offset, 4 * k, d) : float4{};
    }
    __syncthreads();  // the tiles are complete
    float s[Bc];
    float m_new = m;
#pragma unroll
    for (int c = 0; c < Bc; ++c) {
      s[c] = 0.0f;
#pragma unroll
      for (int k = 0; k < D4; ++k) s[c] += dot(q[k], K_smem[c][k]);
      s[c] = j0 + c < N_k ? softmax_scale * s[c] : -INFINITY;
      m_new = fmaxf(m_new, s[c]);
    }
    const float rescale = expf(m - m_new);
    l *= rescale;
#pragma unroll
    for (int k = 0; k < D4; ++k) o[k] = scaled(o[k], rescale);
#pragma unroll
    for (int c = 0; c < Bc; ++c) {
      const float p = expf(s[c] - m_new);
      l += p;
#pragma unroll
      for (int k = 0; k < D4; ++k) o[k] = plus(o[k], scaled(V_smem[c][k], p));
    }
    m = m_new;
    __syncthreads();  // and everybody is done with them
  }
  if (!has_query) return;
#pragma unroll
  for (int k = 0; k < D4; ++k)
    if (4 * k < d)
      store_four<kWide>(
          O + (head * N_q + i) * d, 4 * k, d, scaled(o[k], l > 0.0f ? 1.0f / l : 0.0f));
  if (LSE != nullptr) LSE[head * N_q + i] = m + logf(l);
}

using Kernel = void (*)(
    const float*, const float*, const float*, float*, float*, int64_t, int64_t, int, int64_t,
    float);

template <bool kWide>
Kernel kernel_for(int64_t d) {
  if (d <= 32) return padded_kernel<32, kWide>;
  if (d <= 64) return padded_kernel<64, kWide>;
  return padded_kernel<128, kWide>;
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
  const Kernel kernel = wide ? kernel_for<true>(d) : kernel_for<false>(d);
  kernel<<<heads * tiles, Br, 0, stream>>>(Q, K, V, O, LSE, N_q, N_k, d, tiles, softmax_scale);
  return cudaGetLastError();
}
