// corpus: fails many_tiles (wrong values)
// corpus: survives one_tile
// corpus: on a GPU fails safety (race)
// The one barrier per tile stands behind the prefetch instead of before it: a fast thread fills a
// buffer that a slow one still reads.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kThreads = 64;  // queries per block
constexpr int Bc = 32;        // rows per tile

// Tile n of the sequence K_0 ... K_{T_c - 1}, V_0 ... V_{T_c - 1}.
__device__ void load_tile(
    float* tile_smem, const float* K_head, const float* V_head, int64_t n, int64_t T_c, int64_t N_k,
    int64_t d) {
  const float* rows = n < T_c ? K_head : V_head;
  const int64_t first = (n < T_c ? n : n - T_c) * Bc * d;
  for (int64_t e = threadIdx.x; e < Bc * d && first + e < N_k * d; e += kThreads)
    tile_smem[e] = rows[first + e];
}

__global__ void double_buffered_kernel(
    const float* Q, const float* K, const float* V, float* S, float* O, int64_t N_q, int64_t N_k,
    int64_t d, int blocks_per_head, float softmax_scale) {
  __shared__ float tiles_smem[2][Bc * kMaxHeadDim];  // [2, Bc, d]
  const int64_t head = blockIdx.x / blocks_per_head;
  const int64_t i = int64_t(blockIdx.x % blocks_per_head) * kThreads + threadIdx.x;
  const bool has_query = i < N_q;
  const float* K_head = K + head * N_k * d;
  const float* V_head = V + head * N_k * d;
  float* s_row = S + (head * N_q + i) * N_k;
  float q_reg[kMaxHeadDim];
  float o_reg[kMaxHeadDim] = {};
  for (int64_t k = 0; k < d; ++k) q_reg[k] = has_query ? Q[(head * N_q + i) * d + k] : 0.0f;

  const int64_t T_c = (N_k + Bc - 1) / Bc;
  float m = -INFINITY, l = 0.0f;
  load_tile(tiles_smem[0], K_head, V_head, 0, T_c, N_k, d);
  for (int64_t n = 0; n < 2 * T_c; ++n) {
    if (n + 1 < 2 * T_c) load_tile(tiles_smem[(n + 1) % 2], K_head, V_head, n + 1, T_c, N_k, d);
    __syncthreads();  // tile n is complete
    if (!has_query) continue;

    const float* tile_smem = tiles_smem[n % 2];
    const int64_t j0 = (n < T_c ? n : n - T_c) * Bc;
    for (int c = 0; c < Bc && j0 + c < N_k; ++c) {
      if (n < T_c) {
        float s = 0.0f;
        for (int64_t k = 0; k < d; ++k) s += q_reg[k] * tile_smem[c * d + k];
        s_row[j0 + c] = softmax_scale * s;
        m = fmaxf(m, softmax_scale * s);
      } else {
        const float p = expf(s_row[j0 + c] - m);
        l += p;
        for (int64_t k = 0; k < d; ++k) o_reg[k] += p * tile_smem[c * d + k];
      }
    }
  }
  if (!has_query) return;
  for (int64_t k = 0; k < d; ++k) O[(head * N_q + i) * d + k] = o_reg[k] / l;
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (shape.head_dim < 1 || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t blocks_per_head = (N_q + kThreads - 1) / kThreads;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  const size_t rows = heads * N_q;
  if (N_k == 0) return cudaMemsetAsync(O, 0, rows * shape.head_dim * sizeof(float), stream);

  float* S = nullptr;
  if (rows > SIZE_MAX / sizeof(float) / N_k) return cudaErrorMemoryAllocation;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * N_k * sizeof(float), stream));
  double_buffered_kernel<<<heads * blocks_per_head, kThreads, 0, stream>>>(
      Q, K, V, S, O, N_q, N_k, shape.head_dim, blocks_per_head, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
