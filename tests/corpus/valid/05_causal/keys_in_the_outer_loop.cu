// corpus: passes
// The loops of FlashAttention-1, for lesson 05: keys outside, queries inside; hidden (query, tile) pairs are skipped.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kThreads = 64;
constexpr int Bc = 32;  // keys per tile

__device__ float add_dot(float s, float a, float b) { return s + a * b; }
__device__ float add_dot(float s, float4 a, float4 b) {
  return s + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}
__device__ float4 operator*(float s, float4 a) { return {s * a.x, s * a.y, s * a.z, s * a.w}; }
__device__ void operator+=(float4& a, float4 b) {
  a = {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w};
}

template <typename Vec>
__device__ void load_tile(Vec* tile_smem, const Vec* rows, int64_t j0, int64_t N_k, int64_t d) {
  for (int64_t n = threadIdx.x; n < Bc * d; n += kThreads)
    tile_smem[n] = j0 * d + n < N_k * d ? rows[j0 * d + n] : Vec{};
}

template <typename Vec>
__global__ void keys_outside_kernel(
    const float* Q,    // [B, H, N_q, d]
    const float* K,    // [B, H_kv, N_k, d]
    const float* V,    // [B, H_kv, N_k, d]
    float* O,          // [B, H, N_q, d]
    float* LSE,        // [B, H, N_q], or null
    float* m_all,      // [B, H, N_q], scratch
    float* l_all,      // [B, H, N_q], scratch
    int64_t N_q,       // queries; 64-bit, because products of sizes pass 2^31
    int64_t N_k,       // keys
    int64_t head_dim,  // in floats
    int heads_per_kv_head, float softmax_scale, bool causal) {
  constexpr int kWidth = sizeof(Vec) / sizeof(float);
  const int64_t d = head_dim / kWidth;  // Vecs in a row
  const int64_t head = blockIdx.x;      // b * H + h, counted over all batches
  const int64_t kv_head = head / heads_per_kv_head;

  const Vec* Q_head = reinterpret_cast<const Vec*>(Q) + head * N_q * d;     // [N_q, d]
  const Vec* K_head = reinterpret_cast<const Vec*>(K) + kv_head * N_k * d;  // [N_k, d]
  const Vec* V_head = reinterpret_cast<const Vec*>(V) + kv_head * N_k * d;  // [N_k, d]
  Vec* O_head = reinterpret_cast<Vec*>(O) + head * N_q * d;                 // [N_q, d]
  float* m_head = m_all + head * N_q;
  float* l_head = l_all + head * N_q;

  __shared__ Vec K_smem[Bc * kMaxHeadDim / kWidth];  // [Bc, d]
  __shared__ Vec V_smem[Bc * kMaxHeadDim / kWidth];  // [Bc, d]
  for (int64_t i = threadIdx.x; i < N_q; i += kThreads) {
    for (int64_t k = 0; k < d; ++k) O_head[i * d + k] = Vec{};
    m_head[i] = -INFINITY;  // the maximum of the scores so far
    l_head[i] = 0.0f;       // the sum of exp(s - m) so far
  }
  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    __syncthreads();  // every thread is done with the previous tiles before these overwrite them
    load_tile(K_smem, K_head, j0, N_k, d);
    load_tile(V_smem, V_head, j0, N_k, d);
    __syncthreads();  // the tiles are complete before any thread reads them
    for (int64_t i = threadIdx.x; i < N_q; i += kThreads) {
      const int64_t keys = causal ? i + 1 + N_k - N_q : N_k;  // that query i sees; below 1: none
      if (j0 >= keys) continue;
      const Vec* q_row = Q_head + i * d;  // [d]
      Vec* o_row = O_head + i * d;        // [d], not yet divided by l
      const float m = m_head[i];
      float l = l_head[i];
      float s_reg[Bc] = {};  // [Bc], row i of this tile of S
      for (int64_t k = 0; k < d; ++k) {
        const Vec q = q_row[k];
        for (int c = 0; c < Bc; ++c) s_reg[c] = add_dot(s_reg[c], q, K_smem[c * d + k]);
      }
      float m_new = m;
      for (int c = 0; c < Bc; ++c) s_reg[c] *= softmax_scale;
      if (j0 + Bc > keys)  // only a tile at the diagonal, or the ragged last one
        for (int c = 0; c < Bc; ++c) s_reg[c] = j0 + c < keys ? s_reg[c] : -INFINITY;
      for (int c = 0; c < Bc; ++c) m_new = fmaxf(m_new, s_reg[c]);
      const float rescale = expf(m - m_new);  // 0 in the first tile, where m is -inf
      l *= rescale;
      float p_reg[Bc];  // [Bc], row i of this tile of exp(S - m)
      for (int c = 0; c < Bc; ++c) {
        p_reg[c] = expf(s_reg[c] - m_new);  // 0 where query i sees no key
        l += p_reg[c];
      }
      for (int64_t k = 0; k < d; ++k) {
        Vec o = rescale * o_row[k];
        for (int c = 0; c < Bc; ++c) o += p_reg[c] * V_smem[c * d + k];
        o_row[k] = o;
      }
      m_head[i] = m_new;
      l_head[i] = l;
    }
  }

  for (int64_t i = threadIdx.x; i < N_q; i += kThreads) {
    const float l = l_head[i];
    const float inv_l = l == 0.0f ? 0.0f : 1.0f / l;  // l = 0: no keys
    for (int64_t k = 0; k < d; ++k) O_head[i * d + k] = inv_l * O_head[i * d + k];
    if (LSE != nullptr) LSE[head * N_q + i] = m_head[i] + logf(l);
  }
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

  // gridDim.x ends at 2^31 - 1.
  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  if (heads > INT32_MAX) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;  // nothing to compute
  float* scratch = nullptr;          // m and l
  cudaError_t error = cudaMallocAsync(&scratch, 2 * heads * N_q * sizeof(float), stream);
  if (error != cudaSuccess) return error;
  auto kernel = keys_outside_kernel<float>;
  const auto is_aligned = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; };
  if (d % 4 == 0 && is_aligned(Q) && is_aligned(K) && is_aligned(V) && is_aligned(O))
    kernel = keys_outside_kernel<float4>;
  kernel<<<heads, kThreads, 0, stream>>>(
      Q, K, V, O, LSE, scratch, scratch + heads * N_q, N_q, N_k, d,
      shape.num_heads / shape.num_heads_kv, softmax_scale, causal);
  error = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(scratch, stream);
  return error != cudaSuccess ? error : freed;
}
