// corpus: fails one_tile (not finite)
// corpus: survives launches
// corpus: on a GPU fails safety (uninitialised read)
// Keeps the sums of the rows in scratch memory and adds to them without setting them to 0: what the
// allocator returns is 0 only when it is new.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

using index_t = long long;

// Thread t of the whole grid; every kernel below walks over its elements in strides of the grid.
__device__ index_t first_element() { return (index_t)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ index_t element_stride() { return (index_t)gridDim.x * blockDim.x; }

__global__ void score_kernel(
    const float* Q, const float* K, float* S, index_t count, int N_q, int N_k, int d, float scale) {
  for (index_t e = first_element(); e < count; e += element_stride()) {
    const index_t row = e / N_k;
    const index_t j = e % N_k;
    const float* q = Q + row * d;
    const float* key = K + (row / N_q * N_k + j) * d;
    float dot = 0;
    for (int k = 0; k < d; ++k) dot += q[k] * key[k];
    S[e] = dot * scale;
  }
}

__global__ void softmax_kernel(float* S, float* row_sum, index_t rows, int N_k) {
  for (index_t row = first_element(); row < rows; row += element_stride()) {
    float* s = S + row * N_k;
    float m = s[0];
    for (int j = 1; j < N_k; ++j) m = fmaxf(m, s[j]);
    for (int j = 0; j < N_k; ++j) {
      s[j] = expf(s[j] - m);
      row_sum[row] += s[j];
    }
    for (int j = 0; j < N_k; ++j) s[j] /= row_sum[row];
  }
}

__global__ void output_kernel(
    const float* P, const float* V, float* O, index_t count, int N_q, int N_k, int d) {
  for (index_t e = first_element(); e < count; e += element_stride()) {
    const index_t row = e / d;
    const index_t k = e % d;
    float o = 0;
    for (index_t j = 0; j < N_k; ++j) o += P[row * N_k + j] * V[(row / N_q * N_k + j) * d + k];
    O[e] = o;
  }
}

static unsigned blocks_for(index_t count) {
  const index_t blocks = (count + 255) / 256;
  return blocks < 4096 ? (unsigned)blocks : 4096u;
}

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
  const int N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv || d < 1 || d > kMaxHeadDim)
    return cudaErrorInvalidValue;
  if (N_q < 0 || N_k < 0) return cudaErrorInvalidValue;
  if ((N_q && !Q) || (N_k && !K) || (N_k && !V) || (N_q && !O)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  if (N_q == 0) return cudaSuccess;

  const index_t rows = (index_t)shape.batch * shape.num_heads * N_q;
  if (N_k == 0) return cudaMemsetAsync(O, 0, rows * d * sizeof(float), stream);
  float* S = nullptr;  // [rows, N_k], then the sum of every row
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * (N_k + 1) * sizeof(float), stream));
  score_kernel<<<blocks_for(rows * N_k), 256, 0, stream>>>(
      Q, K, S, rows * N_k, N_q, N_k, d, softmax_scale);
  softmax_kernel<<<blocks_for(rows), 256, 0, stream>>>(S, S + rows * N_k, rows, N_k);
  output_kernel<<<blocks_for(rows * d), 256, 0, stream>>>(S, V, O, rows * d, N_q, N_k, d);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
