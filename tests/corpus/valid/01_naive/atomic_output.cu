// corpus: passes
// A thread per (query, key) adds its share to O with atomicAdd: the last bits depend on the order
// in which the threads come, and every value is inside the rounding bound.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

__device__ float score(const float* q, const float* key, int64_t d, float softmax_scale) {
  float s = 0.0f;
  for (int64_t k = 0; k < d; ++k) s += q[k] * key[k];
  return s * softmax_scale;
}

// m and l of every query, one thread per query.
__global__ void statistics_kernel(
    const float* Q, const float* K, float* m_out, float* l_out, int64_t rows, int64_t N_q,
    int64_t N_k, int64_t d, float softmax_scale) {
  const int64_t row = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const float* keys = K + row / N_q * N_k * d;
  float m = -INFINITY, l = 0.0f;
  for (int64_t j = 0; j < N_k; ++j) {
    const float s = score(Q + row * d, keys + j * d, d, softmax_scale);
    const float m_new = fmaxf(m, s);
    l = l * expf(m - m_new) + expf(s - m_new);
    m = m_new;
  }
  m_out[row] = m;
  l_out[row] = l;
}

// O += p v: a block per group of 32 keys of one query, one thread per key.
__global__ void scatter_kernel(
    const float* Q, const float* K, const float* V, const float* m, const float* l, float* O,
    int64_t groups, int64_t N_q, int64_t N_k, int64_t d, float softmax_scale) {
  const int64_t row = blockIdx.x / groups;
  const int64_t j = blockIdx.x % groups * 32 + threadIdx.x;
  if (j >= N_k) return;
  const int64_t key = row / N_q * N_k + j;
  const float s = score(Q + row * d, K + key * d, d, softmax_scale);
  const float p = expf(s - m[row]) / l[row];
  for (int64_t k = 0; k < d; ++k) atomicAdd(&O[row * d + k], p * V[key * d + k]);
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
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  const int64_t rows = int64_t(shape.batch) * shape.num_heads * N_q;
  const int64_t groups = (N_k + 31) / 32;
  if (rows == 0) return cudaSuccess;
  CUDA_RETURN_IF_ERROR(cudaMemsetAsync(O, 0, rows * d * sizeof(float), stream));
  if (N_k == 0) return cudaSuccess;
  if (groups > INT32_MAX / rows) return cudaErrorInvalidValue;

  float* m = nullptr;  // [rows], and l right behind it
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&m, 2 * rows * sizeof(float), stream));
  float* l = m + rows;
  statistics_kernel<<<(rows + 63) / 64, 64, 0, stream>>>(
      Q, K, m, l, rows, N_q, N_k, d, softmax_scale);
  scatter_kernel<<<rows * groups, 32, 0, stream>>>(
      Q, K, V, m, l, O, groups, N_q, N_k, d, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(m, stream);
  return launched != cudaSuccess ? launched : freed;
}
