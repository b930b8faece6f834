// corpus: passes
// A block of one warp takes two tiles of 32 queries, the first and the last, the second and the
// last but one, ..., so that all blocks have the same work. Tiles of 48 keys in dynamic shared
// memory.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int Br = 32;
constexpr int Bc = 48;  // 48 KiB of tiles for d = 128

__device__ float dot(float a, float b) { return a * b; }
__device__ float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
__device__ float scaled(float a, float s) { return a * s; }
__device__ float4 scaled(float4 a, float s) { return {a.x * s, a.y * s, a.z * s, a.w * s}; }
__device__ float plus(float a, float b) { return a + b; }
__device__ float4 plus(float4 a, float4 b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }

template <typename Vec>
__global__ void __launch_bounds__(Br) paired_tiles_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int head_dim, int64_t tiles, float softmax_scale, bool causal) {
  constexpr int kWidth = sizeof(Vec) / sizeof(float);
  const int d = head_dim / kWidth;
  const int64_t pairs = (tiles + 1) / 2;
  const int64_t head = blockIdx.x / pairs;
  const int64_t pair = blockIdx.x % pairs;

  extern __shared__ float4 smem[];
  Vec* K_smem = reinterpret_cast<Vec*>(smem);  // [Bc, d]
  Vec* V_smem = K_smem + Bc * d;               // [Bc, d]
  // The last tile of queries with the first one, and so on: every pair sees as many keys.
  for (int turn = 0; turn < 2; ++turn) {
    const int64_t tile = turn == 0 ? tiles - 1 - pair : pair;
    if (turn == 1 && tile == tiles - 1 - pair) break;  // the middle one of an odd number
    const int64_t i = tile * Br + threadIdx.x;
    const bool has_query = i < N_q;
    const int64_t keys = causal ? i + 1 + N_k - N_q : N_k;
    const int64_t block_keys = causal ? min((tile + 1) * Br, N_q) + N_k - N_q : N_k;
    const Vec* q_row = reinterpret_cast<const Vec*>(Q) + (head * N_q + i) * d;
    Vec q_reg[kMaxHeadDim / kWidth];
    Vec o_reg[kMaxHeadDim / kWidth] = {};
    for (int k = 0; k < d; ++k) q_reg[k] = has_query ? q_row[k] : Vec{};
    float m = -INFINITY, l = 0.0f;

    for (int64_t j0 = 0; j0 < block_keys; j0 += Bc) {
      const Vec* K_tile = reinterpret_cast<const Vec*>(K) + (head * N_k + j0) * d;  // [Bc, d]
      const Vec* V_tile = reinterpret_cast<const Vec*>(V) + (head * N_k + j0) * d;  // [Bc, d]
      const int count = min(block_keys - j0, int64_t{Bc});
      __syncthreads();  // all are done with the previous tiles
      for (int n = threadIdx.x; n < count * d; n += Br) {
        K_smem[n] = K_tile[n];
        V_smem[n] = V_tile[n];
      }
      __syncthreads();  // these are complete
      if (!has_query) continue;

      float s_reg[Bc];
      float m_new = m;
      const int seen = min(keys - j0, int64_t{count});  // of this tile; below 1: nothing
      if (seen < 1) continue;
      for (int c = 0; c < seen; ++c) {
        s_reg[c] = 0.0f;
        for (int k = 0; k < d; ++k) s_reg[c] += dot(q_reg[k], K_smem[c * d + k]);
        s_reg[c] *= softmax_scale;
        m_new = fmaxf(m_new, s_reg[c]);
      }
      const float rescale = expf(m - m_new);
      l *= rescale;
      for (int k = 0; k < d; ++k) o_reg[k] = scaled(o_reg[k], rescale);
      for (int c = 0; c < seen; ++c) {
        const float p = expf(s_reg[c] - m_new);
        l += p;
        for (int k = 0; k < d; ++k) o_reg[k] = plus(o_reg[k], scaled(V_smem[c * d + k], p));
      }
      m = m_new;
    }

    if (!has_query) continue;
    Vec* o_row = reinterpret_cast<Vec*>(O) + (head * N_q + i) * d;
    for (int k = 0; k < d; ++k) o_row[k] = l > 0.0f ? scaled(o_reg[k], 1.0f / l) : Vec{};
    if (LSE != nullptr) LSE[head * N_q + i] = m + logf(l);
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
  if (shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  if (N_q == 0) return cudaSuccess;
  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t tiles = (N_q + Br - 1) / Br;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  const bool wide = d % 4 == 0 && is_aligned(Q) && is_aligned(K) && is_aligned(V) && is_aligned(O);
  const auto kernel = wide ? paired_tiles_kernel<float4> : paired_tiles_kernel<float>;
  const int64_t blocks = heads * ((tiles + 1) / 2);
  kernel<<<blocks, Br, 2 * Bc * d * sizeof(float), stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, tiles, softmax_scale, causal);
  return cudaGetLastError();
}
