// corpus: fails batch_and_heads (out of bounds)
// corpus: survives ragged
// corpus: on a GPU fails batch_and_heads (not finite | wrong values | out of bounds)
// Skips head * N_k * head_dim float4s, not floats, to the first key of a head: the first head
// starts right.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kThreads = 64;  // queries per block
constexpr int Bc = 32;        // keys per tile

__device__ float add_dot(float s, float a, float b) { return s + a * b; }
__device__ float add_dot(float s, float4 a, float4 b) {
  return s + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}
__device__ float4 operator*(float s, float4 a) { return {s * a.x, s * a.y, s * a.z, s * a.w}; }
__device__ void operator+=(float4& a, float4 b) {
  a = {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w};
}

// Copies Bc rows, from row j0 on, of rows [N_k, d] to tile_smem [Bc, d]; a row past the end becomes
// zeros. The whole block takes part.
template <typename Vec>
__device__ void load_tile(Vec* tile_smem, const Vec* rows, int64_t j0, int64_t N_k, int64_t d) {
  for (int64_t n = threadIdx.x; n < Bc * d; n += kThreads)
    tile_smem[n] = j0 * d + n < N_k * d ? rows[j0 * d + n] : Vec{};
}

template <typename Vec>
__global__ void vectorized_attention_kernel(
    const float* Q,  // [B, H, N_q, d]
    const float* K,  // [B, H, N_k, d]
    const float* V,  // [B, H, N_k, d]
    float* O,        // [B, H, N_q, d]
    float* LSE,      // [B, H, N_q], or null
    int64_t N_q, int64_t N_k, int64_t head_dim, int blocks_per_head, float softmax_scale) {
  constexpr int kWidth = sizeof(Vec) / sizeof(float);
  const int64_t d = head_dim / kWidth;                // Vecs in a row
  const int64_t head = blockIdx.x / blocks_per_head;  // b * H + h, counted over all batches
  const int64_t tile = blockIdx.x % blocks_per_head;  // which 64 queries of that head
  const int64_t i = tile * blockDim.x + threadIdx.x;
  const bool has_query = i < N_q;  // the others help to load tiles, and compute nothing

  const Vec* q_row = reinterpret_cast<const Vec*>(Q) + (head * N_q + i) * d;    // [d]
  const Vec* K_head = reinterpret_cast<const Vec*>(K) + head * N_k * head_dim;  // [N_k, d]
  const Vec* V_head = reinterpret_cast<const Vec*>(V) + head * N_k * d;         // [N_k, d]
  Vec* o_row = reinterpret_cast<Vec*>(O) + (head * N_q + i) * d;                // [d]

  __shared__ Vec K_smem[Bc * kMaxHeadDim / kWidth];  // [Bc, d]
  __shared__ Vec V_smem[Bc * kMaxHeadDim / kWidth];  // [Bc, d]
  Vec q_reg[kMaxHeadDim / kWidth];       // [d]; indexed at run time, so it lies in local memory
  Vec o_reg[kMaxHeadDim / kWidth] = {};  // [d], likewise; not yet divided by l
  for (int64_t k = 0; k < d; ++k) q_reg[k] = has_query ? q_row[k] : Vec{};

  float m = -INFINITY;  // the maximum of the scores so far
  float l = 0.0f;       // the sum of exp(s - m) so far
  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    __syncthreads();  // every thread is done with the previous tiles before these overwrite them
    load_tile(K_smem, K_head, j0, N_k, d);
    load_tile(V_smem, V_head, j0, N_k, d);
    __syncthreads();           // the tiles are complete before any thread reads them
    if (!has_query) continue;  // not return: the next barriers wait for every thread of the block

    float s_reg[Bc] = {};  // [Bc], row i of this tile of S
    for (int64_t k = 0; k < d; ++k)
      for (int c = 0; c < Bc; ++c) s_reg[c] = add_dot(s_reg[c], q_reg[k], K_smem[c * d + k]);
    for (int c = 0; c < Bc; ++c) s_reg[c] = j0 + c < N_k ? softmax_scale * s_reg[c] : -INFINITY;

    float m_new = m;
    for (int c = 0; c < Bc; ++c) m_new = fmaxf(m_new, s_reg[c]);
    const float rescale = expf(m - m_new);  // 0 in the first tile, where m is -inf
    l *= rescale;
    float p_reg[Bc];  // [Bc], row i of this tile of exp(S - m)
    for (int c = 0; c < Bc; ++c) {
      p_reg[c] = expf(s_reg[c] - m_new);  // 0 where there is no key
      l += p_reg[c];
    }
    for (int64_t k = 0; k < d; ++k) {
      o_reg[k] = rescale * o_reg[k];
      for (int c = 0; c < Bc; ++c) o_reg[k] += p_reg[c] * V_smem[c * d + k];
    }
    m = m_new;
  }

  if (!has_query) return;                           // no barrier follows
  const float inv_l = l == 0.0f ? 0.0f : 1.0f / l;  // l = 0: no keys
  for (int64_t k = 0; k < d; ++k) o_row[k] = inv_l * o_reg[k];
  if (LSE != nullptr) LSE[head * N_q + i] = m + logf(l);
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q,  // [B, H, N_q, d]
    const float* K,  // [B, H, N_k, d]
    const float* V,  // [B, H, N_k, d]
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
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;

  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t blocks_per_head = (N_q + kThreads - 1) / kThreads;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;  // nothing to compute
  auto kernel = vectorized_attention_kernel<float>;
  const auto is_aligned = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; };
  if (d % 4 == 0 && is_aligned(Q) && is_aligned(K) && is_aligned(V) && is_aligned(O))
    kernel = vectorized_attention_kernel<float4>;
  kernel<<<heads * blocks_per_head, kThreads, 0, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, blocks_per_head, softmax_scale);
  return cudaGetLastError();
}
