// corpus: fails many_tiles (not finite)
// corpus: survives one_tile
// corpus: on a GPU fails many_tiles (wrong values | not finite)
// Each thread loads one row of a tile, but a tile has 64 rows and the block 48 threads: the last 16
// rows are never loaded.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int Br = 48;   // queries per block
constexpr int BcK = 64;  // keys per tile
constexpr int BcV = 16;  // values per tile

// Only the rows that exist: what lies behind them in shared memory is never read.
template <int Bc>
__device__ int load_rows(float* tile_smem, const float* rows, int64_t j0, int64_t N_k, int d) {
  const int count = N_k - j0 < Bc ? int(N_k - j0) : Bc;
  const int c = threadIdx.x;
  for (int k = 0; c < count && k < d; ++k) tile_smem[c * d + k] = rows[(j0 + c) * d + k];
  return count;
}

__global__ void tiled_kernel(
    const float* Q, const float* K, const float* V, float* S, float* O, int64_t N_q, int64_t N_k,
    int d, int blocks_per_head, float softmax_scale) {
  __shared__ float K_smem[BcK * kMaxHeadDim];  // [BcK, d]
  __shared__ float V_smem[BcV * kMaxHeadDim];  // [BcV, d]
  const int64_t head = blockIdx.x / blocks_per_head;
  const int64_t i = int64_t(blockIdx.x % blocks_per_head) * Br + threadIdx.x;
  const int64_t row = head * N_q + i;

  float m = -INFINITY;
  for (int64_t j0 = 0; j0 < N_k; j0 += BcK) {
    const int keys = load_rows<BcK>(K_smem, K + head * N_k * d, j0, N_k, d);
    __syncthreads();  // the tile is complete
    for (int c = 0; i < N_q && c < keys; ++c) {
      float s = 0.0f;
      for (int k = 0; k < d; ++k) s += Q[row * d + k] * K_smem[c * d + k];
      s *= softmax_scale;
      S[row * N_k + j0 + c] = s;
      m = fmaxf(m, s);
    }
    __syncthreads();  // nobody needs the tile any more
  }

  float l = 0.0f;
  float o_reg[kMaxHeadDim] = {};
  for (int64_t j0 = 0; j0 < N_k; j0 += BcV) {
    const int values = load_rows<BcV>(V_smem, V + head * N_k * d, j0, N_k, d);
    __syncthreads();  // the tile is complete
    for (int c = 0; i < N_q && c < values; ++c) {
      const float p = expf(S[row * N_k + j0 + c] - m);
      l += p;
      for (int k = 0; k < d; ++k) o_reg[k] += p * V_smem[c * d + k];
    }
    __syncthreads();  // nobody needs the tile any more
  }
  if (i < N_q)
    for (int k = 0; k < d; ++k) O[row * d + k] = o_reg[k] / l;
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
  const int64_t blocks_per_head = (N_q + Br - 1) / Br;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  const size_t rows = heads * N_q;
  if (N_k == 0) return cudaMemsetAsync(O, 0, rows * shape.head_dim * sizeof(float), stream);

  float* S = nullptr;
  if (rows > SIZE_MAX / sizeof(float) / N_k) return cudaErrorMemoryAllocation;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * N_k * sizeof(float), stream));
  tiled_kernel<<<unsigned(heads * blocks_per_head), Br, 0, stream>>>(
      Q, K, V, S, O, N_q, N_k, shape.head_dim, int(blocks_per_head), softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
