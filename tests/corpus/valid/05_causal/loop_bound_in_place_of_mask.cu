// corpus: passes
// No score is ever masked: each query ends its loop over the tile where its keys end, and waits at
// the barrier. Tiles of 80 queries and 24 keys; the last block loads up to a tile more than it
// needs.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int Br = 80;
constexpr int Bc = 24;

__device__ float dot(float a, float b) { return a * b; }
__device__ float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
__device__ float scaled(float a, float s) { return a * s; }
__device__ float4 scaled(float4 a, float s) { return {a.x * s, a.y * s, a.z * s, a.w * s}; }
__device__ float plus(float a, float b) { return a + b; }
__device__ float4 plus(float4 a, float4 b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }

template <typename Vec>
__global__ void loop_bound_kernel(
    const Vec* Q, const Vec* K, const Vec* V, Vec* O, float* LSE, int64_t N_q, int64_t N_k, int d,
    int64_t tiles, float softmax_scale, bool causal) {
  constexpr int kMost = kMaxHeadDim * sizeof(float) / sizeof(Vec);
  const int64_t head = blockIdx.x / tiles;
  const int64_t i0 = blockIdx.x % tiles * Br;
  const int64_t i = i0 + threadIdx.x;
  // How many keys query i sees, and the last query of a full block: more than any of a ragged one.
  int64_t keys = N_k, block_keys = N_k;
  if (causal) {
    keys = max(int64_t{0}, i + 1 + N_k - N_q);
    block_keys = min(N_k, max(int64_t{0}, i0 + Br + N_k - N_q));
  }
  if (i >= N_q) keys = 0;

  __shared__ Vec K_smem[Bc][kMost];
  __shared__ Vec V_smem[Bc][kMost];
  Vec q_reg[kMost], o_reg[kMost];
  for (int k = 0; k < d; ++k) {
    q_reg[k] = i < N_q ? Q[(head * N_q + i) * d + k] : Vec{};
    o_reg[k] = Vec{};
  }

  float m = -INFINITY, l = 0.0f;
  for (int64_t j0 = 0; j0 < block_keys; j0 += Bc) {
    for (int n = threadIdx.x; n < Bc * d && j0 + n / d < N_k; n += Br) {
      K_smem[n / d][n % d] = K[(head * N_k + j0) * d + n];
      V_smem[n / d][n % d] = V[(head * N_k + j0) * d + n];
    }
    __syncthreads();  // the tiles are complete
    for (int c = 0; c < Bc && j0 + c < keys; ++c) {
      float s = 0.0f;
      for (int k = 0; k < d; ++k) s += dot(q_reg[k], K_smem[c][k]);
      s *= softmax_scale;
      const float m_new = fmaxf(m, s);
      const float rescale = expf(m - m_new), p = expf(s - m_new);
      l = l * rescale + p;
      for (int k = 0; k < d; ++k)
        o_reg[k] = plus(scaled(o_reg[k], rescale), scaled(V_smem[c][k], p));
      m = m_new;
    }
    __syncthreads();  // all are done with them
  }

  if (i >= N_q) return;
  const float inverse = keys > 0 ? 1.0f / l : 0.0f;
  for (int k = 0; k < d; ++k) O[(head * N_q + i) * d + k] = scaled(o_reg[k], inverse);
  if (LSE != nullptr) LSE[head * N_q + i] = keys > 0 ? m + logf(l) : -INFINITY;
}

bool is_aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

template <typename Vec>
void launch(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t heads,
    int64_t N_q, int64_t N_k, int64_t d, int64_t tiles, float softmax_scale, bool causal,
    cudaStream_t stream) {
  const auto vecs = [](const float* p) { return reinterpret_cast<const Vec*>(p); };
  loop_bound_kernel<Vec><<<heads * tiles, Br, 0, stream>>>(
      vecs(Q), vecs(K), vecs(V), reinterpret_cast<Vec*>(O), LSE, N_q, N_k,
      d * sizeof(float) / sizeof(Vec), tiles, softmax_scale, causal);
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
  if (shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  if (N_q == 0) return cudaSuccess;
  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t tiles = (N_q + Br - 1) / Br;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  const bool wide = d % 4 == 0 && is_aligned(Q) && is_aligned(K) && is_aligned(V) && is_aligned(O);
  (wide ? launch<float4>
        : launch<float>)(Q, K, V, O, LSE, heads, N_q, N_k, d, tiles, softmax_scale, causal, stream);
  return cudaGetLastError();
}
