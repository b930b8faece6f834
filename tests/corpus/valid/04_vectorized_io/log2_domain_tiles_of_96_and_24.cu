// corpus: passes
// Tiles of 96 queries and 24 keys, three warps per block, and everything in base 2: log2(e) is
// folded into the scale, and LSE is brought back to the natural logarithm at the end.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int Br = 96;
constexpr int Bc = 24;
constexpr float kLog2E = 1.44269504f;
constexpr float kLn2 = 0.693147181f;

__device__ float dot(float a, float b) { return a * b; }
__device__ float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
__device__ float scaled(float a, float s) { return a * s; }
__device__ float4 scaled(float4 a, float s) { return {a.x * s, a.y * s, a.z * s, a.w * s}; }
__device__ float plus(float a, float b) { return a + b; }
__device__ float4 plus(float4 a, float4 b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }

template <typename Vec>
__global__ void __launch_bounds__(Br) log2_kernel(
    const Vec* Q, const Vec* K, const Vec* V, Vec* O, float* LSE, int64_t N_q, int64_t N_k,
    int row_length, int64_t tiles, float scale_log2) {
  constexpr int kMost = kMaxHeadDim * sizeof(float) / sizeof(Vec);
  const int d = row_length;  // in Vecs
  const int64_t head = blockIdx.x / tiles;
  const int64_t i = blockIdx.x % tiles * Br + threadIdx.x;
  const int64_t row = head * N_q + i;

  __shared__ Vec K_smem[Bc * kMost];  // [Bc, d]
  __shared__ Vec V_smem[Bc * kMost];  // [Bc, d]
  Vec q_reg[kMost], o_reg[kMost];
  for (int k = 0; k < d; ++k) {
    q_reg[k] = i < N_q ? Q[row * d + k] : Vec{};
    o_reg[k] = Vec{};
  }

  float m = -INFINITY, l = 0.0f;  // m is a maximum of scores times log2(e)
  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    const int count = N_k - j0 < Bc ? static_cast<int>(N_k - j0) : Bc;  // keys in this tile
    for (int n = threadIdx.x; n < count * d; n += Br) {
      K_smem[n] = K[(head * N_k + j0) * d + n];
      V_smem[n] = V[(head * N_k + j0) * d + n];
    }
    __syncthreads();  // the tiles are complete
    if (i < N_q) {
      float s_reg[Bc];
      float m_new = m;
      for (int c = 0; c < count; ++c) {
        float s = 0.0f;
        for (int k = 0; k < d; ++k) s += dot(q_reg[k], K_smem[c * d + k]);
        s_reg[c] = s * scale_log2;
        m_new = fmaxf(m_new, s_reg[c]);
      }
      const float rescale = exp2f(m - m_new);
      l *= rescale;
      for (int k = 0; k < d; ++k) o_reg[k] = scaled(o_reg[k], rescale);
      for (int c = 0; c < count; ++c) {
        const float p = exp2f(s_reg[c] - m_new);
        l += p;
        for (int k = 0; k < d; ++k) o_reg[k] = plus(o_reg[k], scaled(V_smem[c * d + k], p));
      }
      m = m_new;
    }
    __syncthreads();  // all are done with the tiles
  }

  if (i >= N_q) return;
  const float inverse = l > 0.0f ? 1.0f / l : 0.0f;
  for (int k = 0; k < d; ++k) O[row * d + k] = scaled(o_reg[k], inverse);
  if (LSE != nullptr) LSE[row] = (m + log2f(l)) * kLn2;
}

bool is_aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

template <typename Vec>
void launch(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t heads,
    int64_t N_q, int64_t N_k, int64_t d, int64_t tiles, float softmax_scale, cudaStream_t stream) {
  const auto vecs = [](const float* p) { return reinterpret_cast<const Vec*>(p); };
  log2_kernel<Vec><<<heads * tiles, Br, 0, stream>>>(
      vecs(Q), vecs(K), vecs(V), reinterpret_cast<Vec*>(O), LSE, N_q, N_k,
      d * sizeof(float) / sizeof(Vec), tiles, softmax_scale * kLog2E);
}

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
  const auto launch_path = wide ? launch<float4> : launch<float>;
  launch_path(Q, K, V, O, LSE, heads, N_q, N_k, d, tiles, softmax_scale, stream);
  return cudaGetLastError();
}
