// corpus: passes
// Tiles and the keys in them from the last to the first, so that the ragged tile comes first; the
// query is scaled in registers, a new maximum rescales key by key, and __expf and __logf replace
// the exact functions.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int Br = 64;
constexpr int Bc = 32;

__device__ float dot(float a, float b) { return a * b; }
__device__ float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
__device__ float scaled(float a, float s) { return a * s; }
__device__ float4 scaled(float4 a, float s) { return {a.x * s, a.y * s, a.z * s, a.w * s}; }
__device__ float plus(float a, float b) { return a + b; }
__device__ float4 plus(float4 a, float4 b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }

template <typename Vec>
__global__ void reversed_kernel(
    const float* Q_floats, const float* K_floats, const float* V_floats, float* O_floats,
    float* LSE, int64_t N_q, int64_t N_k, int64_t head_dim, int64_t tiles, float softmax_scale) {
  constexpr int kWidth = sizeof(Vec) / sizeof(float);
  const int d = head_dim / kWidth;
  const int64_t head = blockIdx.x / tiles;
  const int64_t i = blockIdx.x % tiles * Br + threadIdx.x;
  const bool has_query = i < N_q;
  const Vec* Q = reinterpret_cast<const Vec*>(Q_floats) + (head * N_q + i) * d;  // [d]
  const Vec* K = reinterpret_cast<const Vec*>(K_floats) + head * N_k * d;        // [N_k, d]
  const Vec* V = reinterpret_cast<const Vec*>(V_floats) + head * N_k * d;        // [N_k, d]
  Vec* O = reinterpret_cast<Vec*>(O_floats) + (head * N_q + i) * d;              // [d]

  __shared__ Vec K_smem[Bc * kMaxHeadDim / kWidth];  // [Bc, d]
  __shared__ Vec V_smem[Bc * kMaxHeadDim / kWidth];  // [Bc, d]
  Vec q_reg[kMaxHeadDim / kWidth];
  Vec o_reg[kMaxHeadDim / kWidth] = {};
  for (int k = d - 1; k >= 0 && has_query; --k) q_reg[k] = scaled(Q[k], softmax_scale);
  float m = -INFINITY, l = 0.0f;

  // The first tile is the last of K: the ragged one.
  for (int64_t j0 = (N_k + Bc - 1) / Bc * Bc - Bc; j0 >= 0; j0 -= Bc) {
    const int count = min(int64_t{Bc}, N_k - j0);
    for (int n = threadIdx.x; n < count * d; n += Br) K_smem[n] = K[j0 * d + n];
    for (int n = threadIdx.x; n < count * d; n += Br) V_smem[n] = V[j0 * d + n];
    __syncthreads();  // the tiles are complete
    for (int c = count - 1; c >= 0 && has_query; --c) {
      float s = 0.0f;
      for (int k = d - 1; k >= 0; --k) s += dot(q_reg[k], K_smem[c * d + k]);
      if (s > m) {  // a new maximum: what was summed shrinks
        const float rescale = __expf(m - s);
        for (int k = 0; k < d; ++k) o_reg[k] = scaled(o_reg[k], rescale);
        l *= rescale;
        m = s;
      }
      const float p = __expf(s - m);
      for (int k = 0; k < d; ++k) o_reg[k] = plus(o_reg[k], scaled(V_smem[c * d + k], p));
      l += p;
    }
    __syncthreads();  // nobody needs them any more
  }

  if (!has_query) return;
  for (int k = 0; k < d; ++k) O[k] = l > 0.0f ? scaled(o_reg[k], 1.0f / l) : Vec{};
  if (LSE != nullptr) LSE[head * N_q + i] = l > 0.0f ? m + __logf(l) : -INFINITY;
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
  (wide ? reversed_kernel<float4> : reversed_kernel<float>)<<<heads * tiles, Br, 0, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, tiles, softmax_scale);
  return cudaGetLastError();
}
