// corpus: passes
// One kernel writes the rows that see no key, and another one starts at the first query that sees
// one: there, m and o start with key 0 and nothing is ever -inf.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int Br = 48;
constexpr int Bc = 32;

__device__ float dot(float a, float b) { return a * b; }
__device__ float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
__device__ float scaled(float a, float s) { return a * s; }
__device__ float4 scaled(float4 a, float s) { return {a.x * s, a.y * s, a.z * s, a.w * s}; }
__device__ float plus(float a, float b) { return a + b; }
__device__ float4 plus(float4 a, float4 b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }

// The rows that see no key: the first count of every head.
__global__ void empty_rows_kernel(
    float* O, float* LSE, int64_t heads, int64_t N_q, int64_t count, int64_t d) {
  const int64_t stride = int64_t{gridDim.x} * blockDim.x;
  for (int64_t n = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; n < heads * count * d;
       n += stride) {
    const int64_t row = n / d / count * N_q + n / d % count;
    O[row * d + n % d] = 0.0f;
    if (LSE != nullptr && n % d == 0) LSE[row] = -INFINITY;
  }
}

// The other rows, from query i_first on; row i of them sees keys 0 to i + N_k - N_q.
template <typename Vec>
__global__ void rows_kernel(
    const Vec* Q, const Vec* K, const Vec* V, Vec* O, float* LSE, int64_t N_q, int64_t N_k, int d,
    int64_t i_first, int64_t tiles, float softmax_scale, bool causal) {
  constexpr int kMost = kMaxHeadDim * sizeof(float) / sizeof(Vec);
  const int64_t head = blockIdx.x / tiles;
  const int64_t i0 = i_first + blockIdx.x % tiles * Br;
  const int64_t i = i0 + threadIdx.x;
  const bool has_query = i < N_q;
  const int64_t row = head * N_q + i;
  const int64_t last = causal ? i + N_k - N_q : N_k - 1;  // key that the query sees
  const int64_t block_last = causal ? min(i0 + Br, N_q) - 1 + N_k - N_q : N_k - 1;

  __shared__ Vec K_smem[Bc * kMost];
  __shared__ Vec V_smem[Bc * kMost];
  Vec q_reg[kMost], o_reg[kMost];
  float m, l;
  for (int64_t j0 = 0; j0 <= block_last; j0 += Bc) {
    const int count = min(int64_t{Bc}, N_k - j0);
    for (int n = threadIdx.x; n < count * d; n += Br) {
      K_smem[n] = K[(head * N_k + j0) * d + n];
      V_smem[n] = V[(head * N_k + j0) * d + n];
    }
    __syncthreads();  // the tiles are complete
    for (int c = 0; c < count && j0 + c <= last && has_query; ++c) {
      const bool is_first = j0 + c == 0;
      if (is_first)
        for (int k = 0; k < d; ++k) q_reg[k] = Q[row * d + k];
      float s = 0.0f;
      for (int k = 0; k < d; ++k) s += dot(q_reg[k], K_smem[c * d + k]);
      s *= softmax_scale;
      if (is_first) {  // key 0, which every query of this kernel sees, starts the sums
        m = s, l = 1.0f;
        for (int k = 0; k < d; ++k) o_reg[k] = V_smem[c * d + k];
      } else if (s <= m) {
        const float p = expf(s - m);
        l += p;
        for (int k = 0; k < d; ++k) o_reg[k] = plus(o_reg[k], scaled(V_smem[c * d + k], p));
      } else {
        const float rescale = expf(m - s);
        m = s, l = l * rescale + 1.0f;
        for (int k = 0; k < d; ++k) o_reg[k] = plus(scaled(o_reg[k], rescale), V_smem[c * d + k]);
      }
    }
    __syncthreads();  // all are done with them
  }
  if (!has_query) return;
  for (int k = 0; k < d; ++k) O[row * d + k] = scaled(o_reg[k], 1.0f / l);
  if (LSE != nullptr) LSE[row] = m + logf(l);
}

bool is_aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

template <typename Vec>
void launch_rows(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t heads,
    int64_t N_q, int64_t N_k, int64_t d, int64_t i_first, float softmax_scale, bool causal,
    cudaStream_t stream) {
  const auto vecs = [](const float* p) { return reinterpret_cast<const Vec*>(p); };
  const int64_t tiles = (N_q - i_first + Br - 1) / Br;
  rows_kernel<Vec><<<heads * tiles, Br, 0, stream>>>(
      vecs(Q), vecs(K), vecs(V), reinterpret_cast<Vec*>(O), LSE, N_q, N_k,
      d * sizeof(float) / sizeof(Vec), i_first, tiles, softmax_scale, causal);
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

  int64_t empty = 0;  // rows per head
  if (N_k == 0) empty = N_q;
  if (causal && N_k < N_q) empty = N_q - N_k;
  if (empty > 0) {
    const int64_t blocks = min((heads * empty * d + 127) / 128, int64_t{4096});
    empty_rows_kernel<<<blocks, 128, 0, stream>>>(O, LSE, heads, N_q, empty, d);
    CUDA_RETURN_IF_ERROR(cudaGetLastError());
  }
  if (empty == N_q) return cudaSuccess;
  const bool wide = d % 4 == 0 && is_aligned(Q) && is_aligned(K) && is_aligned(V) && is_aligned(O);
  (wide ? launch_rows<float4>
        : launch_rows<
              float>)(Q, K, V, O, LSE, heads, N_q, N_k, d, empty, softmax_scale, causal, stream);
  return cudaGetLastError();
}
