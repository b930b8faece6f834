// corpus: passes
// Each thread copies its query into a local array, already multiplied by the scale.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

__global__ void attention_scaled_query(
    const float* Q, const float* K, const float* V, float* workspace, float* O, int N_q, int N_k,
    int d, int heads, float softmax_scale) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= N_q) return;
  // blockIdx.y is one of at most 65,535 head slots; each takes every gridDim.y-th head.
  for (int head = blockIdx.y; head < heads; head += gridDim.y) {
    const size_t row = (size_t)head * N_q + i;
    float q_reg[kMaxHeadDim];
    for (int k = 0; k < d; ++k) q_reg[k] = Q[row * d + k] * softmax_scale;

    float* s = workspace + row * N_k;
    float m = -INFINITY;
    for (int j = 0; j < N_k; ++j) {
      const float* key = K + ((size_t)head * N_k + j) * d;
      float dot = 0.0f;
      for (int k = 0; k < d; ++k) dot += q_reg[k] * key[k];
      s[j] = dot;
      m = fmaxf(m, dot);
    }
    float l = 0.0f;
    for (int j = 0; j < N_k; ++j) l += expf(s[j] - m);
    for (int k = 0; k < d; ++k) {
      float o = 0.0f;
      for (int j = 0; j < N_k; ++j) o += expf(s[j] - m) * V[((size_t)head * N_k + j) * d + k];
      O[row * d + k] = N_k == 0 ? 0.0f : o / l;
    }
  }
}

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
  const int smallest = std::min({shape.batch, shape.num_heads, shape.num_heads_kv, shape.head_dim});
  if (smallest < 1 || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (std::min(shape.seq_len_q, shape.seq_len_k) < 0) return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  if (shape.seq_len_q == 0) return cudaSuccess;

  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  if (heads > INT32_MAX - 65535) return cudaErrorInvalidValue;
  if (shape.seq_len_q > INT32_MAX - 64) return cudaErrorInvalidValue;
  const double elements = double(heads) * shape.seq_len_q * shape.seq_len_k;
  if (elements > 1e18) return cudaErrorMemoryAllocation;
  float* workspace = nullptr;
  const size_t bytes = size_t(heads) * shape.seq_len_q * shape.seq_len_k * sizeof(float);
  CUDA_RETURN_IF_ERROR(cudaMallocAsync((void**)&workspace, bytes + sizeof(float), stream));
  const dim3 grid((shape.seq_len_q + 63) / 64, unsigned(std::min<int64_t>(heads, 65535)));
  attention_scaled_query<<<grid, 64, 0, stream>>>(
      Q, K, V, workspace, O, shape.seq_len_q, shape.seq_len_k, shape.head_dim, int(heads),
      softmax_scale);
  const cudaError_t error = cudaGetLastError();
  CUDA_RETURN_IF_ERROR(cudaFreeAsync(workspace, stream));
  return error;
}
