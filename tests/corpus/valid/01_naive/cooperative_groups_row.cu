// corpus: passes
// A cooperative group of 16 threads per query, which reduces maximum and sum with cg::reduce.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>

#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace cg = cooperative_groups;

constexpr int kGroup = 16;  // threads per query
constexpr int kGroups = 8;  // queries per block

__global__ void group_attention_kernel(
    const float* Q, const float* K, const float* V, float* S, float* O, int64_t rows, int64_t N_q,
    int64_t N_k, int64_t d, float softmax_scale) {
  const cg::thread_block block = cg::this_thread_block();
  const auto group = cg::tiled_partition<kGroup>(block);
  const int64_t row = int64_t(blockIdx.x) * kGroups + block.thread_rank() / kGroup;
  if (row >= rows) return;  // all 16 threads of the group leave together
  const int64_t head = row / N_q;
  float* s_row = S + row * N_k;

  float m = -INFINITY;
  for (int64_t j = group.thread_rank(); j < N_k; j += group.size()) {
    float s = 0.0f;
    for (int64_t k = 0; k < d; ++k) s += Q[row * d + k] * K[(head * N_k + j) * d + k];
    s_row[j] = s * softmax_scale;
    m = fmaxf(m, s_row[j]);
  }
  m = cg::reduce(group, m, cg::greater<float>());

  float l = 0.0f;
  for (int64_t j = group.thread_rank(); j < N_k; j += group.size()) {
    s_row[j] = expf(s_row[j] - m);
    l += s_row[j];
  }
  l = cg::reduce(group, l, cg::plus<float>());
  group.sync();  // the weights of the whole row are written

  for (int64_t k = group.thread_rank(); k < d; k += group.size()) {
    float o = 0.0f;
    for (int64_t j = 0; j < N_k; ++j) o += s_row[j] * V[(head * N_k + j) * d + k];
    O[row * d + k] = o / l;
  }
}

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (d < 1 || d > kMaxHeadDim || N_q < 0 || N_k < 0) return cudaErrorInvalidValue;
  if (N_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (N_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  const int64_t rows = int64_t(shape.batch) * shape.num_heads * N_q;
  if (rows == 0) return cudaSuccess;
  if (N_k == 0) return cudaMemsetAsync(O, 0, rows * d * sizeof(float), stream);
  if (rows / kGroups >= INT32_MAX) return cudaErrorInvalidValue;

  float* S = nullptr;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * N_k * sizeof(float), stream));
  group_attention_kernel<<<(rows + kGroups - 1) / kGroups, kGroups * kGroup, 0, stream>>>(
      Q, K, V, S, O, rows, N_q, N_k, d, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
