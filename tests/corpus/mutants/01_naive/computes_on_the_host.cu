// corpus: fails launches (launch error)
// corpus: survives compiles
// Copies everything to the host, computes there and copies the result back: right numbers, and no
// kernel at all.
#include <cmath>
#include <vector>

#include "attention.h"
#include "cuda_check.h"

namespace {

cudaError_t download(std::vector<float>& to, const float* from, size_t count) {
  to.resize(count);
  return cudaMemcpy(to.data(), from, count * sizeof(float), cudaMemcpyDeviceToHost);
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
  const size_t heads = size_t(shape.batch) * shape.num_heads;
  const size_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  std::vector<float> q, k, v, o(heads * N_q * d), s(N_k);
  CUDA_RETURN_IF_ERROR(cudaStreamSynchronize(stream));
  CUDA_RETURN_IF_ERROR(download(q, Q, heads * N_q * d));
  CUDA_RETURN_IF_ERROR(download(k, K, heads * N_k * d));
  CUDA_RETURN_IF_ERROR(download(v, V, heads * N_k * d));
  for (size_t row = 0; row < heads * N_q; ++row) {
    const size_t first_key = row / N_q * N_k;
    float m = -INFINITY;
    for (size_t j = 0; j < N_k; ++j) {
      s[j] = 0.0f;
      for (size_t c = 0; c < d; ++c) s[j] += q[row * d + c] * k[(first_key + j) * d + c];
      s[j] *= softmax_scale;
      m = std::fmax(m, s[j]);
    }
    float l = 0.0f;
    for (size_t j = 0; j < N_k; ++j) l += s[j] = std::exp(s[j] - m);
    for (size_t j = 0; j < N_k; ++j) {
      for (size_t c = 0; c < d; ++c) o[row * d + c] += s[j] / l * v[(first_key + j) * d + c];
    }
  }
  return cudaMemcpy(O, o.data(), o.size() * sizeof(float), cudaMemcpyHostToDevice);
}
