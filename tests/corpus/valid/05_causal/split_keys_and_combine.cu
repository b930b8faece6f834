// corpus: passes
// Three blocks share the keys that a tile of queries sees, and a second kernel combines their parts
// by their LSE. A query may see nothing of a part: its LSE is -inf there, and its weight 0.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int Br = 64;
constexpr int Bc = 32;
constexpr int kSplits = 3;  // parts of the keys, a block each

__device__ float dot(float a, float b) { return a * b; }
__device__ float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
__device__ float scaled(float a, float s) { return a * s; }
__device__ float4 scaled(float4 a, float s) { return {a.x * s, a.y * s, a.z * s, a.w * s}; }
__device__ float plus(float a, float b) { return a + b; }
__device__ float4 plus(float4 a, float4 b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }

// Attention of all queries to one part of the keys. parts: [kSplits, rows, d], each row divided by its
// own l; parts_lse: [kSplits, rows].
template <typename Vec>
__global__ void part_kernel(
    const Vec* Q, const Vec* K, const Vec* V, Vec* parts, float* parts_lse, int64_t rows,
    int64_t N_q, int64_t N_k, int d, int64_t tiles, float softmax_scale, bool causal) {
  constexpr int kMost = kMaxHeadDim * sizeof(float) / sizeof(Vec);
  const int split = blockIdx.x % kSplits;
  const int64_t head = blockIdx.x / kSplits / tiles;
  const int64_t i = blockIdx.x / kSplits % tiles * Br + threadIdx.x;
  const int64_t row = head * N_q + i;
  const int64_t keys = causal ? i + 1 + N_k - N_q : N_k;  // that this query sees, if above 0
  const int64_t i_last = min((blockIdx.x / kSplits % tiles + 1) * Br, N_q) - 1;
  const int64_t block_keys = causal ? max(int64_t{0}, i_last + 1 + N_k - N_q) : N_k;
  const int64_t part = (block_keys + kSplits - 1) / kSplits;  // the last ones may have fewer
  const int64_t end = min(block_keys, (split + 1) * part);

  __shared__ Vec K_smem[Bc * kMost];  // [Bc, d]
  __shared__ Vec V_smem[Bc * kMost];  // [Bc, d]
  Vec q_reg[kMost];
  Vec o_reg[kMost] = {};
  for (int k = 0; k < d && i < N_q; ++k) q_reg[k] = Q[row * d + k];
  float m = -INFINITY, l = 0.0f;
  for (int64_t j0 = split * part; j0 < end; j0 += Bc) {
    const int count = min(end - j0, int64_t{Bc});
    __syncthreads();  // all are done with the previous tiles
    for (int n = threadIdx.x; n < count * d; n += Br) {
      K_smem[n] = K[(head * N_k + j0) * d + n];
      V_smem[n] = V[(head * N_k + j0) * d + n];
    }
    __syncthreads();  // these are complete
    for (int c = 0; c < count && j0 + c < keys && i < N_q; ++c) {
      float s = 0.0f;
      for (int k = 0; k < d; ++k) s += dot(q_reg[k], K_smem[c * d + k]);
      s *= softmax_scale;
      const float m_new = fmaxf(m, s);
      const float rescale = expf(m - m_new), p = expf(s - m_new);
      l = l * rescale + p;
      for (int k = 0; k < d; ++k)
        o_reg[k] = plus(scaled(o_reg[k], rescale), scaled(V_smem[c * d + k], p));
      m = m_new;
    }
  }
  if (i >= N_q) return;
  const float inverse = l > 0.0f ? 1.0f / l : 0.0f;
  for (int k = 0; k < d; ++k) parts[(split * rows + row) * d + k] = scaled(o_reg[k], inverse);
  parts_lse[split * rows + row] = m + logf(l);
}

// A thread per element: the average of the parts, weighted with exp(their LSE).
template <typename Vec>
__global__ void combine_kernel(
    const Vec* parts, const float* parts_lse, Vec* O, float* LSE, int64_t rows, int d) {
  const int64_t n = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const int64_t row = n / d;
  if (row >= rows) return;
  float m = -INFINITY;
  for (int split = 0; split < kSplits; ++split) m = fmaxf(m, parts_lse[split * rows + row]);
  float l = 0.0f;
  Vec o = {};
  for (int split = 0; split < kSplits && m > -INFINITY; ++split) {
    const float weight = expf(parts_lse[split * rows + row] - m);
    l += weight;
    o = plus(o, scaled(parts[split * rows * d + n], weight));
  }
  O[n] = scaled(o, l > 0.0f ? 1.0f / l : 0.0f);
  if (LSE != nullptr && n % d == 0) LSE[row] = m + logf(l);
}

bool is_aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

template <typename Vec>
cudaError_t launch(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t heads,
    int64_t N_q, int64_t N_k, int64_t head_dim, float softmax_scale, bool causal,
    cudaStream_t stream) {
  const int64_t d = head_dim * sizeof(float) / sizeof(Vec);
  const int64_t tiles = (N_q + Br - 1) / Br, rows = heads * N_q;
  const int64_t combine_blocks = (rows * d + 127) / 128;
  if (tiles > INT32_MAX / kSplits / heads || combine_blocks > INT32_MAX)
    return cudaErrorInvalidValue;
  float* scratch = nullptr;  // [kSplits, rows, head_dim], and then [kSplits, rows]
  CUDA_RETURN_IF_ERROR(
      cudaMallocAsync(&scratch, kSplits * rows * (head_dim + 1) * sizeof(float), stream));
  Vec* parts = reinterpret_cast<Vec*>(scratch);
  float* parts_lse = scratch + kSplits * rows * head_dim;
  const auto vecs = [](const float* p) { return reinterpret_cast<const Vec*>(p); };
  part_kernel<Vec><<<kSplits * heads * tiles, Br, 0, stream>>>(
      vecs(Q), vecs(K), vecs(V), parts, parts_lse, rows, N_q, N_k, d, tiles, softmax_scale, causal);
  cudaError_t error = cudaGetLastError();
  if (error == cudaSuccess) {
    combine_kernel<Vec><<<combine_blocks, 128, 0, stream>>>(
        parts, parts_lse, reinterpret_cast<Vec*>(O), LSE, rows, d);
    error = cudaGetLastError();
  }
  const cudaError_t freed = cudaFreeAsync(scratch, stream);
  return error != cudaSuccess ? error : freed;
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
  const bool wide = d % 4 == 0 && is_aligned(Q) && is_aligned(K) && is_aligned(V) && is_aligned(O);
  return (
      wide ? launch<float4>
           : launch<float>)(Q, K, V, O, LSE, heads, N_q, N_k, d, softmax_scale, causal, stream);
}
