// corpus: fails batch_and_heads (wrong values)
// corpus: survives many_tiles
// Divides the heads of all batches by the key/value heads of one: right for a batch of 1, else a
// group is too large.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kThreads = 32;
constexpr int kRows = 4;              // queries per thread
constexpr int Br = kThreads * kRows;  // queries per block
constexpr int Bc = 32;

__device__ float dot(float a, float b) { return a * b; }
__device__ float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
__device__ float scaled(float a, float s) { return a * s; }
__device__ float4 scaled(float4 a, float s) { return {a.x * s, a.y * s, a.z * s, a.w * s}; }
__device__ float plus(float a, float b) { return a + b; }
__device__ float4 plus(float4 a, float4 b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }

template <typename Vec>
__global__ void __launch_bounds__(kThreads) four_rows_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int head_dim, int group, int64_t tiles, float softmax_scale, bool causal) {
  constexpr int kWidth = sizeof(Vec) / sizeof(float);
  constexpr int kMost = kMaxHeadDim / kWidth;
  const int d = head_dim / kWidth;
  const int64_t head = blockIdx.x / tiles;
  const int64_t kv_head = head / group;  // a batch has a whole number of groups
  const int64_t i0 = blockIdx.x % tiles * Br;
  const int64_t offset = N_k - N_q;
  // A thread has queries i0 + threadIdx.x, and every 128th from there on.
  const Vec* q_rows = reinterpret_cast<const Vec*>(Q) + (head * N_q + i0) * d;  // [Br, d]
  const Vec* K_head = reinterpret_cast<const Vec*>(K) + kv_head * N_k * d;
  const Vec* V_head = reinterpret_cast<const Vec*>(V) + kv_head * N_k * d;
  Vec* o_rows = reinterpret_cast<Vec*>(O) + (head * N_q + i0) * d;  // [Br, d]

  __shared__ Vec K_smem[Bc * kMost];
  __shared__ Vec V_smem[Bc * kMost];
  Vec q[kRows][kMost], o[kRows][kMost];
  float m[kRows], l[kRows];
  int rows = 0;  // of this thread
  for (; rows < kRows && i0 + threadIdx.x + rows * kThreads < N_q; ++rows) {
    for (int k = 0; k < d; ++k) {
      q[rows][k] = q_rows[(threadIdx.x + rows * kThreads) * d + k];
      o[rows][k] = Vec{};
    }
    m[rows] = -INFINITY;
    l[rows] = 0.0f;
  }

  const int64_t block_keys = causal ? min(i0 + Br, N_q) + offset : N_k;
  for (int64_t j0 = 0; j0 < block_keys; j0 += Bc) {
    const int count = min(block_keys - j0, int64_t{Bc});
    for (int n = threadIdx.x; n < count * d; n += kThreads) {
      K_smem[n] = K_head[j0 * d + n];
      V_smem[n] = V_head[j0 * d + n];
    }
    __syncthreads();  // the tiles are complete
    float s_reg[kRows][Bc] = {};
    for (int c = 0; c < count; ++c)
      for (int k = 0; k < d; ++k) {
        const Vec key = K_smem[c * d + k];
        for (int r = 0; r < rows; ++r) s_reg[r][c] += dot(q[r][k], key);
      }
    for (int r = 0; r < rows; ++r) {
      const int64_t i = i0 + threadIdx.x + r * kThreads;
      const int64_t seen = causal ? i + 1 + offset - j0 : count;
      float m_new = m[r];
      for (int c = 0; c < count; ++c) {
        s_reg[r][c] = c < seen ? softmax_scale * s_reg[r][c] : -INFINITY;
        m_new = fmaxf(m_new, s_reg[r][c]);
      }
      const float base = m_new == -INFINITY ? 0.0f : m_new;
      const float rescale = expf(m[r] - base);
      l[r] *= rescale;
      for (int k = 0; k < d; ++k) o[r][k] = scaled(o[r][k], rescale);
      for (int c = 0; c < count; ++c) {
        s_reg[r][c] = expf(s_reg[r][c] - base);
        l[r] += s_reg[r][c];
      }
      m[r] = m_new;
    }
    for (int c = 0; c < count; ++c)
      for (int k = 0; k < d; ++k) {
        const Vec value = V_smem[c * d + k];
        for (int r = 0; r < rows; ++r) o[r][k] = plus(o[r][k], scaled(value, s_reg[r][c]));
      }
    __syncthreads();  // all are done with them
  }

  for (int r = 0; r < rows; ++r) {
    const int64_t place = threadIdx.x + r * kThreads;
    const float inverse = l[r] > 0.0f ? 1.0f / l[r] : 0.0f;
    for (int k = 0; k < d; ++k) o_rows[place * d + k] = scaled(o[r][k], inverse);
    if (LSE != nullptr) LSE[head * N_q + i0 + place] = m[r] + logf(l[r]);
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
  if (N_q == 0) return cudaSuccess;
  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t tiles = (N_q + Br - 1) / Br;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  const bool wide = d % 4 == 0 && is_aligned(Q) && is_aligned(K) && is_aligned(V) && is_aligned(O);
  (wide ? four_rows_kernel<float4>
        : four_rows_kernel<float>)<<<heads * tiles, kThreads, 0, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, heads / shape.num_heads_kv, tiles, softmax_scale, causal);
  return cudaGetLastError();
}
