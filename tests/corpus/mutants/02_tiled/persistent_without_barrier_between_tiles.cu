// corpus: fails safety (race)
// corpus: survives many_tiles
// The barrier behind the last tile of V is left out, as no tile of V follows; but a tile of K of
// the block's next queries does.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

constexpr int kRows = 64;  // queries per tile, and keys per tile

__device__ void load(float* tile, const float* rows, int64_t j0, int64_t N_k, int64_t d) {
  for (int c = 0; c < kRows; ++c)
    for (int64_t k = threadIdx.x; k < d; k += kRows)
      tile[c * d + k] = j0 + c < N_k ? rows[(j0 + c) * d + k] : 0.0f;
}

__global__ void persistent_kernel(
    const float* Q, const float* K, const float* V, float* S, float* O, int64_t tiles,
    int64_t tiles_per_head, int64_t N_q, int64_t N_k, int64_t d, float softmax_scale) {
  __shared__ float tile_smem[kRows * kMaxHeadDim];
  float* s_row = S + (int64_t(blockIdx.x) * kRows + threadIdx.x) * N_k;  // used again and again

  for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const int64_t head = tile / tiles_per_head;
    const int64_t i = tile % tiles_per_head * kRows + threadIdx.x;
    const float* q_row = Q + (head * N_q + i) * d;
    float m = -INFINITY;
    for (int64_t j0 = 0; j0 < N_k; j0 += kRows) {
      load(tile_smem, K + head * N_k * d, j0, N_k, d);
      __syncthreads();  // loaded
      if (i < N_q) {
        for (int c = 0; c < kRows && j0 + c < N_k; ++c) {
          float s = 0.0f;
          for (int64_t k = 0; k < d; ++k) s += q_row[k] * tile_smem[c * d + k];
          s_row[j0 + c] = s * softmax_scale;
          m = fmaxf(m, s * softmax_scale);
        }
      }
      __syncthreads();  // used
    }
    float o[kMaxHeadDim] = {};
    float l = 0.0f;
    for (int64_t j0 = 0; j0 < N_k; j0 += kRows) {
      load(tile_smem, V + head * N_k * d, j0, N_k, d);
      __syncthreads();  // loaded
      if (i < N_q) {
        for (int c = 0; c < kRows && j0 + c < N_k; ++c) {
          const float p = expf(s_row[j0 + c] - m);
          l += p;
          for (int64_t k = 0; k < d; ++k) o[k] += p * tile_smem[c * d + k];
        }
      }
      if (j0 + kRows < N_k) __syncthreads();  // used
    }
    if (i < N_q)
      for (int64_t k = 0; k < d; ++k) O[(head * N_q + i) * d + k] = N_k > 0 ? o[k] / l : 0.0f;
  }
}

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
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (N_q == 0) return cudaSuccess;
  int device = 0, multiprocessors = 0;
  CUDA_RETURN_IF_ERROR(cudaGetDevice(&device));
  CUDA_RETURN_IF_ERROR(
      cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));

  const int64_t tiles_per_head = (N_q + kRows - 1) / kRows;
  const int64_t tiles = int64_t(shape.batch) * shape.num_heads * tiles_per_head;
  const int blocks = int(std::min<int64_t>(tiles, multiprocessors));
  float* S = nullptr;  // [blocks, kRows, N_k]
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, sizeof(float) * blocks * kRows * (N_k + 1), stream));
  persistent_kernel<<<blocks, kRows, 0, stream>>>(
      Q, K, V, S, O, tiles, tiles_per_head, N_q, N_k, d, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
