// corpus: fails launches (hang)
// corpus: survives compiles
// corpus: on a GPU fails safety (hang)
// The barrier that ends the loading of V stands in a branch which only threads with a query take,
// and another one in the other branch.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kThreads = 64;  // queries per block
constexpr int Bc = 32;        // keys per tile

// Copies Bc rows, from row j0 on; a row past the end becomes zeros.
__device__ void load_tile(float* tile_smem, const float* rows, int64_t j0, int64_t N_k, int64_t d) {
  for (int64_t n = threadIdx.x; n < Bc * d; n += kThreads)
    tile_smem[n] = j0 * d + n < N_k * d ? rows[j0 * d + n] : 0.0f;
}

__global__ void tiled_attention_kernel(
    const float* Q,  // [B, H, N_q, d]
    const float* K,  // [B, H, N_k, d]
    const float* V,  // [B, H, N_k, d]
    float* S,        // [B, H, N_q, N_k] scratch
    float* O,        // [B, H, N_q, d]
    int64_t N_q, int64_t N_k, int64_t d, int blocks_per_head, float softmax_scale) {
  const int64_t head = blockIdx.x / blocks_per_head;
  const int64_t tile = blockIdx.x % blocks_per_head;
  const int64_t i = tile * blockDim.x + threadIdx.x;
  const bool has_query = i < N_q;

  const float* q_row = Q + (head * N_q + i) * d;
  const float* K_head = K + head * N_k * d;
  const float* V_head = V + head * N_k * d;
  float* s_row = S + (head * N_q + i) * N_k;
  float* o_row = O + (head * N_q + i) * d;

  __shared__ float tile_smem[Bc * kMaxHeadDim];  // [Bc, d], a tile of K, later one of V
  float q_reg[kMaxHeadDim];
  float o_reg[kMaxHeadDim] = {};
  for (int64_t k = 0; k < d; ++k) q_reg[k] = has_query ? q_row[k] : 0.0f;

  float m = -INFINITY;
  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    __syncthreads();  // K: done with the previous tile
    load_tile(tile_smem, K_head, j0, N_k, d);
    __syncthreads();  // K: the tile is complete
    if (!has_query) continue;

    float s_reg[Bc] = {};
    for (int64_t k = 0; k < d; ++k)
      for (int c = 0; c < Bc; ++c) s_reg[c] += q_reg[k] * tile_smem[c * d + k];
    for (int c = 0; c < Bc; ++c) {
      if (j0 + c >= N_k) continue;
      const float s = softmax_scale * s_reg[c];
      s_row[j0 + c] = s;
      m = fmaxf(m, s);
    }
  }

  float l = 0.0f;
  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    __syncthreads();  // V: done with the previous tile
    load_tile(tile_smem, V_head, j0, N_k, d);
    if (!has_query) {
      __syncthreads();  // for those who wait below
      continue;
    }
    __syncthreads();  // the tile is complete

    float p_reg[Bc];
    for (int c = 0; c < Bc; ++c) {
      p_reg[c] = j0 + c < N_k ? expf(s_row[j0 + c] - m) : 0.0f;
      l += p_reg[c];
    }
    for (int64_t k = 0; k < d; ++k)
      for (int c = 0; c < Bc; ++c) o_reg[k] += p_reg[c] * tile_smem[c * d + k];
  }

  if (!has_query) return;
  for (int64_t k = 0; k < d; ++k) o_row[k] = o_reg[k] / l;
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
  const int64_t N_q = shape.seq_len_q;
  const int64_t N_k = shape.seq_len_k;
  const int64_t d = shape.head_dim;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (shape.head_dim < 1 || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;

  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t blocks_per_head = (N_q + kThreads - 1) / kThreads;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  const size_t rows = heads * N_q;
  if (N_k == 0) return cudaMemsetAsync(O, 0, rows * d * sizeof(float), stream);

  float* S = nullptr;  // [B, H, N_q, N_k]
  if (rows > SIZE_MAX / sizeof(float) / N_k) return cudaErrorMemoryAllocation;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * N_k * sizeof(float), stream));
  tiled_attention_kernel<<<heads * blocks_per_head, kThreads, 0, stream>>>(
      Q, K, V, S, O, N_q, N_k, d, blocks_per_head, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
