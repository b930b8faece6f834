// corpus: fails one_tile (not finite)
// corpus: survives launches
// corpus: on a GPU fails one_tile (wrong values | not finite)
// Loads the next tiles into the buffer that is in use.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kThreads = 64;  // queries per block
constexpr int Bc = 20;        // keys per tile
constexpr int kBuffer = Bc * kMaxHeadDim;

__device__ void load_pair(
    float* K_tile, float* V_tile, const float* K_head, const float* V_head, int64_t j0, int64_t N_k,
    int64_t d) {
  for (int64_t n = threadIdx.x; n < Bc * d; n += kThreads) {
    const bool inside = j0 * d + n < N_k * d;
    K_tile[n] = inside ? K_head[j0 * d + n] : 0.0f;
    V_tile[n] = inside ? V_head[j0 * d + n] : 0.0f;
  }
}

__global__ void double_buffered_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int64_t d, int blocks_per_head, float softmax_scale) {
  __shared__ float K_smem[2][kBuffer];  // [2, Bc, d]
  __shared__ float V_smem[2][kBuffer];
  const int64_t head = blockIdx.x / blocks_per_head;
  const int64_t i = int64_t(blockIdx.x % blocks_per_head) * kThreads + threadIdx.x;
  const bool has_query = i < N_q;
  const float* K_head = K + head * N_k * d;
  const float* V_head = V + head * N_k * d;
  float q_reg[kMaxHeadDim];
  float o_reg[kMaxHeadDim] = {};
  for (int64_t k = 0; k < d; ++k) q_reg[k] = has_query ? Q[(head * N_q + i) * d + k] : 0.0f;

  float m = -INFINITY, l = 0.0f;
  load_pair(K_smem[0], V_smem[0], K_head, V_head, 0, N_k, d);
  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    const int now = j0 / Bc % 2;
    // Everybody has loaded his part of this pair, and is done with the pair that is filled next.
    __syncthreads();
    if (j0 + Bc < N_k) load_pair(K_smem[now], V_smem[now], K_head, V_head, j0 + Bc, N_k, d);
    if (!has_query) continue;

    float s_reg[Bc] = {};
    float m_new = m;
    for (int64_t k = 0; k < d; ++k)
      for (int c = 0; c < Bc; ++c) s_reg[c] += q_reg[k] * K_smem[now][c * d + k];
    for (int c = 0; c < Bc; ++c) {
      s_reg[c] = j0 + c < N_k ? softmax_scale * s_reg[c] : -INFINITY;
      m_new = fmaxf(m_new, s_reg[c]);
    }
    const float rescale = expf(m - m_new);
    l *= rescale;
    for (int64_t k = 0; k < d; ++k) o_reg[k] *= rescale;
    for (int c = 0; c < Bc; ++c) {
      const float p = expf(s_reg[c] - m_new);
      l += p;
      for (int64_t k = 0; k < d; ++k) o_reg[k] += p * V_smem[now][c * d + k];
    }
    m = m_new;
  }
  if (!has_query) return;
  const float inv_l = l > 0.0f ? 1.0f / l : 0.0f;
  for (int64_t k = 0; k < d; ++k) O[(head * N_q + i) * d + k] = inv_l * o_reg[k];
  if (LSE != nullptr) LSE[head * N_q + i] = m + logf(l);
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
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t blocks_per_head = (N_q + kThreads - 1) / kThreads;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  double_buffered_kernel<<<heads * blocks_per_head, kThreads, 0, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, shape.head_dim, blocks_per_head, softmax_scale);
  return cudaGetLastError();
}
