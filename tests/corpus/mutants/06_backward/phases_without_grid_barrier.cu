// corpus: fails safety (race)
// corpus: survives dv, dq
// corpus: on a GPU fails safety (uninitialised read)
// corpus: on a GPU may pass: all blocks may have written their D before one reads another's
// Many blocks go through the three phases, D first, with __syncthreads() between: it waits for the
// own block only, and D of other blocks' queries may not be there yet.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kThreads = 256;

struct Inputs {
  const float *Q, *K, *V, *O, *LSE, *dO;
  int64_t rows_q, rows_k, N_q, N_k, d;
  float softmax_scale;
  bool causal;
};

__device__ float dot(const float* a, const float* b, int64_t d) {
  float sum = 0.0f;
  for (int64_t k = 0; k < d; ++k) sum += a[k] * b[k];
  return sum;
}

__device__ float weight(const Inputs& in, int64_t q_row, int64_t k_row) {
  const float s = dot(in.Q + q_row * in.d, in.K + k_row * in.d, in.d);
  return expf(s * in.softmax_scale - in.LSE[q_row]);
}

__global__ void backward_kernel(Inputs in, float* delta, float* dQ, float* dK, float* dV) {
  const int64_t d = in.d, N_q = in.N_q, N_k = in.N_k;
  const int64_t thread = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int64_t threads = int64_t{gridDim.x} * kThreads;
  for (int64_t row = thread; row < in.rows_q; row += threads)
    delta[row] = dot(in.dO + row * d, in.O + row * d, d);
  __syncthreads();  // D of the block's queries is known

  for (int64_t row = thread; row < in.rows_k; row += threads) {
    const int64_t first = row / N_k * N_q, j = row % N_k;
    const float* v = in.V + row * d;
    float dk[kMaxHeadDim] = {}, dv[kMaxHeadDim] = {};  // [d]
    for (int64_t i = in.causal && j + N_q > N_k ? j + N_q - N_k : 0; i < N_q; ++i) {
      const float *q = in.Q + (first + i) * d, *g = in.dO + (first + i) * d;
      const float p = weight(in, first + i, row), ds = p * (dot(g, v, d) - delta[first + i]);
      for (int64_t k = 0; k < d; ++k) dv[k] += p * g[k];
      for (int64_t k = 0; k < d; ++k) dk[k] += ds * in.softmax_scale * q[k];
    }
    for (int64_t k = 0; k < d; ++k) dK[row * d + k] = dk[k];
    for (int64_t k = 0; k < d; ++k) dV[row * d + k] = dv[k];
  }
  for (int64_t row = thread; row < in.rows_q; row += threads) {
    const int64_t first = row / N_q * N_k, i = row % N_q;
    const float* g = in.dO + row * d;
    float dq[kMaxHeadDim] = {};  // [d]
    for (int64_t j = 0; j < N_k && (!in.causal || j <= i + N_k - N_q); ++j) {
      const float dp = dot(g, in.V + (first + j) * d, d);
      const float ds = weight(in, row, first + j) * (dp - delta[row]) * in.softmax_scale;
      for (int64_t k = 0; k < d; ++k) dq[k] += ds * in.K[(first + j) * d + k];
    }
    for (int64_t k = 0; k < d; ++k) dQ[row * d + k] = dq[k];
  }
}

}  // namespace

extern "C" cudaError_t attention_backward(
    const float* Q, const float* K, const float* V, const float* O, const float* LSE,
    const float* dO, float* dQ, float* dK, float* dV, AttentionShape shape, float softmax_scale,
    bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (N_q < 0 || N_k < 0 || d < 1 || d > kMaxHeadDim) return cudaErrorInvalidValue;
  if (N_q > 0 && !(Q && O && LSE && dO && dQ)) return cudaErrorInvalidValue;
  if (N_k > 0 && !(K && V && dK && dV)) return cudaErrorInvalidValue;
  if (shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t rows_q = heads * N_q, rows_k = heads * N_k;
  if (rows_q == 0 && rows_k == 0) return cudaSuccess;
  const Inputs in = {Q, K, V, O, LSE, dO, rows_q, rows_k, N_q, N_k, d, softmax_scale, causal};
  const int64_t most = rows_q > rows_k ? rows_q : rows_k;
  const int64_t blocks = most < 64 * 256 ? (most + kThreads - 1) / kThreads : 64;
  float* delta = nullptr;
  if (N_q > 0) CUDA_RETURN_IF_ERROR(cudaMallocAsync(&delta, rows_q * sizeof(float), stream));
  backward_kernel<<<blocks, kThreads, 0, stream>>>(in, delta, dQ, dK, dV);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = delta ? cudaFreeAsync(delta, stream) : cudaSuccess;
  return launched != cudaSuccess ? launched : freed;
}
