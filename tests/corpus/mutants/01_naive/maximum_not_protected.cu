// corpus: fails one_tile (wrong values)
// corpus: survives launches
// corpus: on a GPU fails safety (race)
// The sums of the second reduction overwrite the maximum before every thread has read it: one
// barrier between two uses of the same shared array is missing.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

#define THREADS 64

__global__ void row_block_kernel(
    const float* Q, const float* K, const float* V, float* S, float* O, int64_t N_q, int64_t N_k,
    int64_t d, float softmax_scale) {
  __shared__ float q_smem[kMaxHeadDim];
  __shared__ float partial[THREADS];
  const int tid = threadIdx.x;
  const int64_t row = blockIdx.x;
  const int64_t head = row / N_q;
  float* s_row = S + row * N_k;

  for (int64_t k = tid; k < d; k += THREADS) q_smem[k] = Q[row * d + k];
  __syncthreads();  // the query is complete before anybody uses it

  float m = -INFINITY;
  for (int64_t j = tid; j < N_k; j += THREADS) {
    float s = 0.0f;
    for (int64_t k = 0; k < d; ++k) s += q_smem[k] * K[(head * N_k + j) * d + k];
    s *= softmax_scale;
    s_row[j] = s;
    m = fmaxf(m, s);
  }
  partial[tid] = m;
  __syncthreads();  // all partial maxima are there
  for (int step = THREADS / 2; step > 0; step /= 2) {
    if (tid < step) partial[tid] = fmaxf(partial[tid], partial[tid + step]);
    __syncthreads();  // this level is complete before the next one reads it
  }
  m = partial[0];

  float l = 0.0f;
  for (int64_t j = tid; j < N_k; j += THREADS) {
    s_row[j] = expf(s_row[j] - m);
    l += s_row[j];
  }
  partial[tid] = l;
  __syncthreads();  // all partial sums and all weights in s_row are there
  for (int step = THREADS / 2; step > 0; step /= 2) {
    if (tid < step) partial[tid] += partial[tid + step];
    __syncthreads();  // this level is complete before the next one reads it
  }

  for (int64_t k = tid; k < d; k += THREADS) {
    float o = 0.0f;
    for (int64_t j = 0; j < N_k; ++j) o += s_row[j] * V[(head * N_k + j) * d + k];
    O[row * d + k] = o / partial[0];
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

  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (N_q > INT32_MAX / heads) return cudaErrorInvalidValue;
  const int64_t rows = heads * N_q;
  if (rows == 0) return cudaSuccess;
  if (N_k == 0) return cudaMemsetAsync(O, 0, rows * d * sizeof(float), stream);

  float* S = nullptr;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * N_k * sizeof(float), stream));
  row_block_kernel<<<rows, THREADS, 0, stream>>>(Q, K, V, S, O, N_q, N_k, d, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
