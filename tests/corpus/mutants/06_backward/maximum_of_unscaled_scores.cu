// corpus: fails hard_numbers (not finite)
// corpus: survives cross_attention, batch_and_heads
// The softmax is computed again around the largest q . k. With a negative softmax_scale that is the
// smallest score.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kThreads = 64;

struct Stats {
  float m, l, delta;
};

struct Inputs {
  const float *Q, *K, *V, *dO;
  Stats* stats;  // [B, H, N_q]
  int64_t rows_q, rows_k, N_q, N_k, d;
  float softmax_scale;
  bool causal;

  // Keys 0 .. keys_of(i) - 1 are seen by query i.
  __device__ int64_t keys_of(int64_t i) const {
    return causal ? max(int64_t{0}, i + 1 + N_k - N_q) : N_k;
  }
};

__device__ float dot(const float* a, const float* b, int64_t d) {
  float sum = 0.0f;
  for (int64_t k = 0; k < d; ++k) sum += a[k] * b[k];
  return sum;
}

__global__ void stats_kernel(Inputs in) {
  const int64_t d = in.d, row = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (row >= in.rows_q) return;
  const int64_t first = row / in.N_q * in.N_k, keys = in.keys_of(row % in.N_q);
  float m = -INFINITY, l = 0.0f, o_reg[kMaxHeadDim] = {};  // [d]
  for (int64_t j = first; j < first + keys; ++j) {
    const float s = dot(in.Q + row * d, in.K + j * d, d), m_new = fmaxf(m, s);
    const float rescale = j > first ? expf(in.softmax_scale * (m - m_new)) : 0.0f;
    const float p = expf(in.softmax_scale * (s - m_new));
    l = l * rescale + p;
    for (int64_t k = 0; k < d; ++k) o_reg[k] = o_reg[k] * rescale + p * in.V[j * d + k];
    m = m_new;
  }
  const float delta = keys > 0 ? dot(o_reg, in.dO + row * d, d) / l : 0.0f;
  in.stats[row] = {m, l, delta};
}

// p and ds of a pair of rows.
__device__ void pair(const Inputs& in, int64_t q_row, int64_t k_row, float* p, float* ds) {
  const int64_t d = in.d;
  const Stats stats = in.stats[q_row];
  const float s = dot(in.Q + q_row * d, in.K + k_row * d, d);
  *p = expf(in.softmax_scale * (s - stats.m)) / stats.l;
  *ds = *p * (dot(in.dO + q_row * d, in.V + k_row * d, d) - stats.delta);
}

__global__ void query_kernel(Inputs in, float* dQ) {
  const int64_t d = in.d, row = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (row >= in.rows_q) return;
  const int64_t first = row / in.N_q * in.N_k, keys = in.keys_of(row % in.N_q);
  float dq_reg[kMaxHeadDim] = {};  // [d]
  for (int64_t j = first; j < first + keys; ++j) {
    float p, ds;
    pair(in, row, j, &p, &ds);
    for (int64_t k = 0; k < d; ++k) dq_reg[k] += ds * in.K[j * d + k];
  }
  for (int64_t k = 0; k < d; ++k) dQ[row * d + k] = in.softmax_scale * dq_reg[k];
}

__global__ void key_kernel(Inputs in, float* dK, float* dV) {
  const int64_t d = in.d, row = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (row >= in.rows_k) return;
  const int64_t head = row / in.N_k, j = row % in.N_k;
  float dk_reg[kMaxHeadDim] = {}, dv_reg[kMaxHeadDim] = {};  // [d]
  for (int64_t i = 0; i < in.N_q; ++i) {
    if (j >= in.keys_of(i)) continue;
    const int64_t q_row = head * in.N_q + i;
    float p, ds;
    pair(in, q_row, row, &p, &ds);
    for (int64_t k = 0; k < d; ++k) dv_reg[k] += p * in.dO[q_row * d + k];
    for (int64_t k = 0; k < d; ++k) dk_reg[k] += ds * in.Q[q_row * d + k];
  }
  for (int64_t k = 0; k < d; ++k) dK[row * d + k] = in.softmax_scale * dk_reg[k];
  for (int64_t k = 0; k < d; ++k) dV[row * d + k] = dv_reg[k];
}

int64_t blocks_for(int64_t rows) { return (rows + kThreads - 1) / kThreads; }

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
  if (blocks_for(rows_q) > INT32_MAX || blocks_for(rows_k) > INT32_MAX)
    return cudaErrorInvalidValue;
  Stats* stats = nullptr;
  if (N_q > 0) CUDA_RETURN_IF_ERROR(cudaMallocAsync(&stats, rows_q * sizeof(Stats), stream));
  const Inputs in = {Q, K, V, dO, stats, rows_q, rows_k, N_q, N_k, d, softmax_scale, causal};
  if (N_q > 0) stats_kernel<<<blocks_for(rows_q), kThreads, 0, stream>>>(in);
  if (N_q > 0) query_kernel<<<blocks_for(rows_q), kThreads, 0, stream>>>(in, dQ);
  if (N_k > 0) key_kernel<<<blocks_for(rows_k), kThreads, 0, stream>>>(in, dK, dV);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = stats ? cudaFreeAsync(stats, stream) : cudaSuccess;
  return launched != cudaSuccess ? launched : freed;
}
