// corpus: passes
// Scores in units of log2(e): exp2f everywhere, m and l belong to base 2, and LSE goes back to the
// natural logarithm at the end. Blocks of 96 queries, tiles of 16 keys.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int Br = 96;
constexpr int Bc = 16;
constexpr float kLog2E = 1.44269504088896341f;
constexpr float kLn2 = 0.693147180559945309f;

__global__ void log2_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int d, int blocks_per_head, float softmax_scale_log2) {
  __shared__ float K_smem[Bc][kMaxHeadDim];
  __shared__ float V_smem[Bc][kMaxHeadDim];
  const int64_t head = blockIdx.x / blocks_per_head;
  const int64_t i = int64_t(blockIdx.x % blocks_per_head) * Br + threadIdx.x;
  const bool has_query = i < N_q;

  float q_reg[kMaxHeadDim];
  float o_reg[kMaxHeadDim];
  for (int k = 0; k < d; ++k) {
    q_reg[k] = has_query ? Q[(head * N_q + i) * d + k] * softmax_scale_log2 : 0.0f;
    o_reg[k] = 0.0f;
  }
  float m = -INFINITY, l = 0.0f;

  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    const int keys = N_k - j0 < Bc ? int(N_k - j0) : Bc;
    for (int n = threadIdx.x; n < keys * d; n += Br) {
      K_smem[n / d][n % d] = K[(head * N_k + j0) * d + n];
      V_smem[n / d][n % d] = V[(head * N_k + j0) * d + n];
    }
    __syncthreads();  // both tiles are complete
    if (has_query) {
      float s[Bc];
      float m_new = m;
      for (int c = 0; c < keys; ++c) {
        s[c] = 0.0f;
        for (int k = 0; k < d; ++k) s[c] = fmaf(q_reg[k], K_smem[c][k], s[c]);
        m_new = fmaxf(m_new, s[c]);
      }
      const float rescale = exp2f(m - m_new);
      l *= rescale;
      for (int k = 0; k < d; ++k) o_reg[k] *= rescale;
      for (int c = 0; c < keys; ++c) {
        const float p = exp2f(s[c] - m_new);
        l += p;
        for (int k = 0; k < d; ++k) o_reg[k] = fmaf(p, V_smem[c][k], o_reg[k]);
      }
      m = m_new;
    }
    __syncthreads();  // nobody needs the tiles any more
  }

  if (!has_query) return;
  for (int k = 0; k < d; ++k) O[(head * N_q + i) * d + k] = l > 0.0f ? o_reg[k] / l : 0.0f;
  if (LSE != nullptr) LSE[head * N_q + i] = (m + log2f(l)) * kLn2;
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (shape.head_dim < 1 || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t blocks_per_head = (int64_t(shape.seq_len_q) + Br - 1) / Br;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (blocks_per_head == 0) return cudaSuccess;
  log2_kernel<<<unsigned(heads * blocks_per_head), Br, 0, stream>>>(
      Q, K, V, O, LSE, shape.seq_len_q, shape.seq_len_k, shape.head_dim, int(blocks_per_head),
      softmax_scale * kLog2E);
  return cudaGetLastError();
}
