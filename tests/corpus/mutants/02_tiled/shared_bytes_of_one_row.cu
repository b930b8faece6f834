// corpus: fails safety (out of bounds)
// corpus: survives launches
// corpus: on a GPU fails launches (out of bounds)
// Asks for shared memory for TILE floats per row instead of TILE rows of d + 1 floats.
#include <math.h>
#include <stdint.h>

#include "attention.h"
#include "cuda_check.h"

#define TILE 128  // queries per block, and rows per tile

__device__ void copy_tile(
    float *tile, const float *rows, int64_t first, int64_t rows_in_head, int d) {
  for (int n = threadIdx.x; n < TILE * d; n += TILE) {
    int c = n / d, k = n % d;
    tile[c * (d + 1) + k] = first + c < rows_in_head ? rows[(first + c) * d + k] : 0.0f;
  }
}

__global__ void attention(
    const float *Q, const float *K, const float *V, float *S, float *O, int64_t Nq, int64_t Nk,
    int d, int tiles, float scale) {
  extern __shared__ float tile[];  // [TILE][d + 1]
  int64_t head = blockIdx.x / tiles;
  int64_t i = (int64_t)(blockIdx.x % tiles) * TILE + threadIdx.x;
  const float *q = Q + (head * Nq + i) * d;
  float *s_row = S + (head * Nq + i) * Nk;
  float acc[kMaxHeadDim];
  for (int k = 0; k < d; k++) acc[k] = 0.0f;

  float m = -INFINITY;
  for (int64_t j0 = 0; j0 < Nk; j0 += TILE) {
    __syncthreads();
    copy_tile(tile, K + head * Nk * d, j0, Nk, d);
    __syncthreads();
    if (i >= Nq) continue;
    for (int c = 0; c < TILE && j0 + c < Nk; c++) {
      float s = 0.0f;
      for (int k = 0; k < d; k++) s += q[k] * tile[c * (d + 1) + k];
      s_row[j0 + c] = s * scale;
      m = fmaxf(m, s * scale);
    }
  }
  float l = 0.0f;
  for (int64_t j0 = 0; j0 < Nk; j0 += TILE) {
    __syncthreads();
    copy_tile(tile, V + head * Nk * d, j0, Nk, d);
    __syncthreads();
    if (i >= Nq) continue;
    for (int c = 0; c < TILE && j0 + c < Nk; c++) {
      float p = expf(s_row[j0 + c] - m);
      l += p;
      for (int k = 0; k < d; k++) acc[k] += p * tile[c * (d + 1) + k];
    }
  }
  if (i >= Nq) return;
  for (int k = 0; k < d; k++) O[(head * Nq + i) * d + k] = Nk > 0 ? acc[k] / l : 0.0f;
}

extern "C" cudaError_t attention_forward(
    const float *Q, const float *K, const float *V, float *O, float *LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
  int d = shape.head_dim;
  if (shape.batch <= 0 || shape.num_heads <= 0 || shape.num_heads_kv <= 0)
    return cudaErrorInvalidValue;
  if (d <= 0 || d > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv) return cudaErrorInvalidValue;
  if (shape.seq_len_q && (!Q || !O)) return cudaErrorInvalidValue;
  if (shape.seq_len_k && (!K || !V)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads != shape.num_heads_kv) return cudaErrorNotSupported;
  int64_t heads = (int64_t)shape.batch * shape.num_heads;
  int64_t tiles = ((int64_t)shape.seq_len_q + TILE - 1) / TILE;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (tiles == 0) return cudaSuccess;

  int device, most;
  CUDA_RETURN_IF_ERROR(cudaGetDevice(&device));
  CUDA_RETURN_IF_ERROR(
      cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  int bytes = TILE * TILE / 2 * (int)sizeof(float);  // a tile
  if (bytes > most) return cudaErrorInvalidValue;
  if (bytes > 48 * 1024)
    CUDA_RETURN_IF_ERROR(
        cudaFuncSetAttribute(attention, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));

  size_t scores = (size_t)heads * shape.seq_len_q;
  if (shape.seq_len_k > 0 && scores > SIZE_MAX / 4 / shape.seq_len_k)
    return cudaErrorMemoryAllocation;
  scores *= shape.seq_len_k;
  float *S = NULL;
  if (scores > 0) CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, scores * sizeof(float), stream));
  attention<<<(unsigned)(heads * tiles), TILE, bytes, stream>>>(
      Q, K, V, S, O, shape.seq_len_q, shape.seq_len_k, d, (int)tiles, softmax_scale);
  cudaError_t launched = cudaGetLastError();
  if (S == NULL) return launched;
  cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
