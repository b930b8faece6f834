// corpus: passes
// Launches once per head and reuses one N_q x N_k workspace: stream order keeps the heads apart.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

// Attention of a single head, one thread per query.
__global__ void single_head_kernel(
    const float* Q,  // [N_q, d]
    const float* K,  // [N_k, d]
    const float* V,  // [N_k, d]
    float* S,        // [N_q, N_k]
    float* O,        // [N_q, d]
    int64_t N_q, int64_t N_k, int64_t d, float softmax_scale) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= N_q) return;
  float m = -3.402823466e+38f;
  for (int64_t j = 0; j < N_k; ++j) {
    float s = 0.0f;
    for (int64_t k = 0; k < d; ++k) s += Q[i * d + k] * K[j * d + k];
    S[i * N_k + j] = s * softmax_scale;
    m = fmaxf(m, S[i * N_k + j]);
  }
  float l = 0.0f;
  for (int64_t j = 0; j < N_k; ++j) l += expf(S[i * N_k + j] - m);
  const float log_l = m + logf(l);
  for (int64_t k = 0; k < d; ++k) {
    float o = 0.0f;
    for (int64_t j = 0; j < N_k; ++j) o += expf(S[i * N_k + j] - m) * V[j * d + k];
    O[i * d + k] = o * expf(m - log_l);  // exp(m - LSE) = 1 / l
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
  if (shape.seq_len_q == 0) return cudaSuccess;

  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (N_k == 0) return cudaMemsetAsync(O, 0, heads * N_q * d * sizeof(float), stream);
  float* S = nullptr;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, N_q * N_k * sizeof(float), stream));
  cudaError_t error = cudaSuccess;
  for (int64_t head = 0; head < heads && error == cudaSuccess; ++head) {
    single_head_kernel<<<(N_q + 31) / 32, 32, 0, stream>>>(
        Q + head * N_q * d, K + head * N_k * d, V + head * N_k * d, S, O + head * N_q * d, N_q, N_k,
        d, softmax_scale);
    error = cudaGetLastError();
  }
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return error != cudaSuccess ? error : freed;
}
