// corpus: passes
// All sums in double, and exp() of doubles. At most 64 blocks, whose threads take rows until none is
// left. D is kept in double, too: 8 bytes per query.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kThreads = 64;
constexpr int64_t kMostBlocks = 64;

struct Inputs {
  const float *Q, *K, *V, *O, *LSE, *dO;
  double* delta;  // [B, H, N_q]
  int64_t rows_q, rows_k, N_q, N_k, d;
  float softmax_scale;
  bool causal;
};

__device__ double dot(const float* a, const float* b, int64_t d) {
  double sum = 0;
  for (int64_t k = 0; k < d; ++k) sum += double{a[k]} * b[k];
  return sum;
}

__device__ double weight(const Inputs& in, int64_t q_row, int64_t k_row) {
  return exp(
      in.softmax_scale * dot(in.Q + q_row * in.d, in.K + k_row * in.d, in.d) - in.LSE[q_row]);
}

__device__ double gradient(const Inputs& in, int64_t q_row, int64_t k_row) {
  const double dp = dot(in.dO + q_row * in.d, in.V + k_row * in.d, in.d);
  return weight(in, q_row, k_row) * (dp - in.delta[q_row]) * in.softmax_scale;
}

__global__ void query_kernel(Inputs in, float* dQ) {
  const int64_t d = in.d;
  for (int64_t row = int64_t{blockIdx.x} * kThreads + threadIdx.x; row < in.rows_q;
       row += int64_t{gridDim.x} * kThreads) {
    in.delta[row] = dot(in.dO + row * d, in.O + row * d, d);
    const int64_t first = row / in.N_q * in.N_k;
    const int64_t keys = in.causal ? row % in.N_q + 1 + in.N_k - in.N_q : in.N_k;
    double dq[kMaxHeadDim] = {};  // [d]
    for (int64_t j = first; j < first + keys; ++j) {
      const double ds = gradient(in, row, j);
      for (int64_t k = 0; k < d; ++k) dq[k] += ds * in.K[j * d + k];
    }
    for (int64_t k = 0; k < d; ++k) dQ[row * d + k] = static_cast<float>(dq[k]);
  }
}

__global__ void key_kernel(Inputs in, float* dK, float* dV) {
  const int64_t d = in.d;
  for (int64_t row = int64_t{blockIdx.x} * kThreads + threadIdx.x; row < in.rows_k;
       row += int64_t{gridDim.x} * kThreads) {
    const int64_t first = row / in.N_k * in.N_q;
    const int64_t begin = in.causal ? max(int64_t{0}, row % in.N_k + in.N_q - in.N_k) : 0;
    double dk[kMaxHeadDim] = {}, dv[kMaxHeadDim] = {};  // [d]
    for (int64_t i = first + begin; i < first + in.N_q; ++i) {
      const double p = weight(in, i, row), ds = gradient(in, i, row);
      for (int64_t k = 0; k < d; ++k) dv[k] += p * in.dO[i * d + k];
      for (int64_t k = 0; k < d; ++k) dk[k] += ds * in.Q[i * d + k];
    }
    for (int64_t k = 0; k < d; ++k) dV[row * d + k] = static_cast<float>(dv[k]);
    for (int64_t k = 0; k < d; ++k) dK[row * d + k] = static_cast<float>(dk[k]);
  }
}

int64_t blocks_for(int64_t rows) {
  const int64_t blocks = (rows + kThreads - 1) / kThreads;
  return blocks < kMostBlocks ? blocks : kMostBlocks;
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
  double* delta = nullptr;
  if (N_q > 0) CUDA_RETURN_IF_ERROR(cudaMallocAsync(&delta, rows_q * sizeof(double), stream));
  const Inputs in = {Q,      K,   V,   O, LSE,           dO,    delta, rows_q,
                     rows_k, N_q, N_k, d, softmax_scale, causal};
  if (N_q > 0) query_kernel<<<blocks_for(rows_q), kThreads, 0, stream>>>(in, dQ);
  if (N_k > 0) key_kernel<<<blocks_for(rows_k), kThreads, 0, stream>>>(in, dK, dV);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = delta ? cudaFreeAsync(delta, stream) : cudaSuccess;
  return launched != cudaSuccess ? launched : freed;
}
