// corpus: fails contract (never written)
// corpus: survives safety
// corpus: on a GPU passes: every thread there has read the number before the next one is drawn
// No barrier between reading the number that was drawn and drawing the next one, as the loop over
// the keys has barriers enough. It has none if there are no keys.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kQueries = 64;
constexpr int kKeys = 32;
using Count = unsigned long long;

__global__ void queue_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, Count* next, Count tiles,
    Count tiles_per_head, int64_t N_q, int64_t N_k, int d, float softmax_scale) {
  __shared__ float K_smem[kKeys][kMaxHeadDim];
  __shared__ float V_smem[kKeys][kMaxHeadDim];
  __shared__ Count drawn;
  for (;;) {
    if (threadIdx.x == 0) drawn = atomicAdd(next, 1);
    __syncthreads();  // the number is there
    const Count tile = drawn;
    if (tile >= tiles) return;
    const int64_t head = tile / tiles_per_head;
    const int64_t i = tile % tiles_per_head * kQueries + threadIdx.x;
    const int64_t row = head * N_q + i;

    float o[kMaxHeadDim] = {};
    float m = -INFINITY, l = 0.0f;
    for (int64_t j0 = 0; j0 < N_k; j0 += kKeys) {
      if (j0 > 0) __syncthreads();  // the previous tile is used up
      for (int c = 0; c < kKeys && j0 + c < N_k; ++c)
        for (int k = threadIdx.x; k < d; k += kQueries) {
          K_smem[c][k] = K[(head * N_k + j0 + c) * d + k];
          V_smem[c][k] = V[(head * N_k + j0 + c) * d + k];
        }
      __syncthreads();  // the tile is complete
      for (int c = 0; i < N_q && c < kKeys && j0 + c < N_k; ++c) {
        float s = 0.0f;
        for (int k = 0; k < d; ++k) s += Q[row * d + k] * K_smem[c][k];
        s *= softmax_scale;
        const float m_new = fmaxf(m, s);
        const float rescale = expf(m - m_new), p = expf(s - m_new);
        l = l * rescale + p;
        for (int k = 0; k < d; ++k) o[k] = o[k] * rescale + p * V_smem[c][k];
        m = m_new;
      }
    }
    if (i < N_q) {
      for (int k = 0; k < d; ++k) O[row * d + k] = l > 0.0f ? o[k] / l : 0.0f;
      if (LSE != nullptr) LSE[row] = m + logf(l);
    }
  }
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (shape.head_dim < 1 || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  if (shape.seq_len_q == 0) return cudaSuccess;
  const Count tiles_per_head = (Count(shape.seq_len_q) + kQueries - 1) / kQueries;
  const Count tiles = tiles_per_head * shape.batch * shape.num_heads;
  const unsigned blocks = unsigned(std::min<Count>(tiles, 24));

  Count* next = nullptr;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&next, sizeof(Count), stream));
  cudaError_t result = cudaMemsetAsync(next, 0, sizeof(Count), stream);
  if (result == cudaSuccess) {
    queue_kernel<<<blocks, kQueries, 0, stream>>>(
        Q, K, V, O, LSE, next, tiles, tiles_per_head, shape.seq_len_q, shape.seq_len_k,
        shape.head_dim, softmax_scale);
    result = cudaGetLastError();
  }
  const cudaError_t freed = cudaFreeAsync(next, stream);
  return result != cudaSuccess ? result : freed;
}
