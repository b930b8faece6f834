// corpus: passes
// A loop over tiles that all queries of the block see, without a mask, and a second one over the
// rest; causal is a template argument; blocks begin with the tiles of queries that see the most.
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
struct Row {
  Vec q[kMaxHeadDim * sizeof(float) / sizeof(Vec)];
  Vec o[kMaxHeadDim * sizeof(float) / sizeof(Vec)];
  float m, l;
};

// Adds the first count keys of a tile to a row; in a masked tile, those before key end only.
template <bool kMasked, typename Vec>
__device__ void add_tile(
    Row<Vec>& row, const Vec* K_smem, const Vec* V_smem, int count, int end, int d,
    float softmax_scale) {
  float s_reg[Bc];
  float m_new = row.m;
  for (int c = 0; c < count; ++c) {
    float s = 0.0f;
    for (int k = 0; k < d; ++k) s += dot(row.q[k], K_smem[c * d + k]);
    s_reg[c] = kMasked && c >= end ? -INFINITY : softmax_scale * s;
    m_new = fmaxf(m_new, s_reg[c]);
  }
  if (kMasked && m_new == -INFINITY) return;  // nothing is seen yet
  const float rescale = expf(row.m - m_new);
  row.l *= rescale;
  for (int k = 0; k < d; ++k) row.o[k] = scaled(row.o[k], rescale);
  for (int c = 0; c < count; ++c) {
    const float p = expf(s_reg[c] - m_new);
    row.l += p;
    for (int k = 0; k < d; ++k) row.o[k] = plus(row.o[k], scaled(V_smem[c * d + k], p));
  }
  row.m = m_new;
}

template <bool kCausal, typename Vec>
__global__ void two_loops_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int head_dim, int64_t heads, int64_t tiles, float softmax_scale) {
  constexpr int kWidth = sizeof(Vec) / sizeof(float);
  const int d = head_dim / kWidth;
  // The last tile of queries, which sees the most keys, comes first, in all heads.
  const int64_t head = blockIdx.x % heads;
  const int64_t i0 = (tiles - 1 - blockIdx.x / heads) * Br;
  const int64_t i = i0 + threadIdx.x;
  const bool has_query = i < N_q;
  const int64_t offset = N_k - N_q;
  const Vec* K_head = reinterpret_cast<const Vec*>(K) + head * N_k * d;
  const Vec* V_head = reinterpret_cast<const Vec*>(V) + head * N_k * d;

  __shared__ Vec K_smem[Bc * kMaxHeadDim / kWidth];
  __shared__ Vec V_smem[Bc * kMaxHeadDim / kWidth];
  const auto load_tiles = [&](int64_t j0, int count) {
    __syncthreads();  // all are done with the previous tiles
    for (int n = threadIdx.x; n < count * d; n += Br) {
      K_smem[n] = K_head[j0 * d + n];
      V_smem[n] = V_head[j0 * d + n];
    }
    __syncthreads();  // these are complete
  };

  Row<Vec> row;
  for (int k = 0; k < d; ++k) {
    row.q[k] = has_query ? reinterpret_cast<const Vec*>(Q)[(head * N_q + i) * d + k] : Vec{};
    row.o[k] = Vec{};
  }
  row.m = -INFINITY, row.l = 0.0f;

  // Every query of the block sees the keys before all, and some query those before any.
  const int64_t all = kCausal ? max(int64_t{0}, min(i0 + 1 + offset, N_k)) : N_k;
  const int64_t any = kCausal ? min(i0 + Br, N_q) + offset : N_k;
  int64_t j0 = 0;
  for (; j0 + Bc <= all; j0 += Bc) {
    load_tiles(j0, Bc);
    add_tile<false>(row, K_smem, V_smem, Bc, Bc, d, softmax_scale);
  }
  for (; j0 < any; j0 += Bc) {
    const int count = min(int64_t{Bc}, any - j0);
    load_tiles(j0, count);
    const int end = kCausal ? max(int64_t{0}, min(i + 1 + offset - j0, int64_t{count})) : count;
    add_tile<kCausal>(row, K_smem, V_smem, count, end, d, softmax_scale);
  }

  if (!has_query) return;
  Vec* o_row = reinterpret_cast<Vec*>(O) + (head * N_q + i) * d;
  const float inverse = row.l > 0.0f ? 1.0f / row.l : 0.0f;
  for (int k = 0; k < d; ++k) o_row[k] = scaled(row.o[k], inverse);
  if (LSE != nullptr) LSE[head * N_q + i] = row.m + logf(row.l);
}

template <typename Vec>
auto kernel_for(bool causal) {
  return causal ? two_loops_kernel<true, Vec> : two_loops_kernel<false, Vec>;
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
  const auto kernel = wide ? kernel_for<float4>(causal) : kernel_for<float>(causal);
  kernel<<<heads * tiles, Br, 0, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, heads, tiles, softmax_scale);
  return cudaGetLastError();
}
