// corpus: fails one_tile (wrong values)
// corpus: survives launches
// The softmax kernel walks down the columns of S, so the weights of one key sum to 1 over the
// queries; a test that looks only at the range of the output sees nothing.
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

// One thread per column of S.
__global__ void softmax_kernel(float* S, index_t columns, int N_q, int N_k) {
  for (index_t c = first_element(); c < columns; c += element_stride()) {
    float* s = S + c / N_k * N_q * N_k + c % N_k;
    float m = s[0];
    for (index_t i = 1; i < N_q; ++i) m = fmaxf(m, s[i * N_k]);
    float l = 0;
    for (index_t i = 0; i < N_q; ++i) {
      s[i * N_k] = expf(s[i * N_k] - m);
      l += s[i * N_k];
    }
    for (index_t i = 0; i < N_q; ++i) s[i * N_k] /= l;
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
  float* S = nullptr;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * N_k * sizeof(float), stream));
  score_kernel<<<blocks_for(rows * N_k), 256, 0, stream>>>(
      Q, K, S, rows * N_k, N_q, N_k, d, softmax_scale);
  const index_t columns = rows / N_q * N_k;
  softmax_kernel<<<blocks_for(columns), 256, 0, stream>>>(S, columns, N_q, N_k);
  output_kernel<<<blocks_for(rows * d), 256, 0, stream>>>(S, V, O, rows * d, N_q, N_k, d);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
