// corpus: fails one_tile (not finite)
// corpus: survives launches
// corpus: on a GPU fails safety (race)
// Loads V behind the barrier that makes the tiles complete, as K is needed first: nothing makes V
// complete.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kThreads = 64;  // queries per block
constexpr int Bc = 32;        // keys per tile

// Copies Bc rows, from row j0 on; a row past the end becomes zeros.
__device__ void load_tile(float* tile_smem, const float* rows, int64_t j0, int64_t N_k, int64_t d) {
  for (int64_t n = threadIdx.x; n < Bc * d; n += kThreads)
    tile_smem[n] = j0 * d + n < N_k * d ? rows[j0 * d + n] : 0.0f;
}

__global__ void online_softmax_kernel(
    const float* Q,  // [B, H, N_q, d]
    const float* K,  // [B, H, N_k, d]
    const float* V,  // [B, H, N_k, d]
    float* O,        // [B, H, N_q, d]
    float* LSE,      // [B, H, N_q], or null
    int64_t N_q, int64_t N_k, int64_t d, int blocks_per_head, float softmax_scale) {
  const int64_t head = blockIdx.x / blocks_per_head;
  const int64_t tile = blockIdx.x % blocks_per_head;
  const int64_t i = tile * blockDim.x + threadIdx.x;
  const bool has_query = i < N_q;

  const float* q_row = Q + (head * N_q + i) * d;
  const float* K_head = K + head * N_k * d;
  const float* V_head = V + head * N_k * d;
  float* o_row = O + (head * N_q + i) * d;

  __shared__ float K_smem[Bc * kMaxHeadDim];  // [Bc, d]
  __shared__ float V_smem[Bc * kMaxHeadDim];  // [Bc, d]
  float q_reg[kMaxHeadDim];
  float o_reg[kMaxHeadDim] = {};  // not yet divided by l
  for (int64_t k = 0; k < d; ++k) q_reg[k] = has_query ? q_row[k] : 0.0f;

  float m = -INFINITY;  // the maximum of the scores so far
  float l = 0.0f;       // the sum of exp(s - m) so far
  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    __syncthreads();  // everybody is done with the previous tiles
    load_tile(K_smem, K_head, j0, N_k, d);
    __syncthreads();  // K is complete
    load_tile(V_smem, V_head, j0, N_k, d);
    if (!has_query) continue;

    float s_reg[Bc] = {};
    for (int64_t k = 0; k < d; ++k)
      for (int c = 0; c < Bc; ++c) s_reg[c] += q_reg[k] * K_smem[c * d + k];
    for (int c = 0; c < Bc; ++c) s_reg[c] = j0 + c < N_k ? softmax_scale * s_reg[c] : -INFINITY;

    float m_new = m;
    for (int c = 0; c < Bc; ++c) m_new = fmaxf(m_new, s_reg[c]);
    const float rescale = expf(m - m_new);
    l *= rescale;
    for (int64_t k = 0; k < d; ++k) o_reg[k] *= rescale;
    for (int c = 0; c < Bc; ++c) {
      const float p = expf(s_reg[c] - m_new);
      l += p;
      for (int64_t k = 0; k < d; ++k) o_reg[k] += p * V_smem[c * d + k];
    }
    m = m_new;
  }

  if (!has_query) return;
  const float inv_l = l == 0.0f ? 0.0f : 1.0f / l;  // l = 0: no keys
  for (int64_t k = 0; k < d; ++k) o_row[k] = inv_l * o_reg[k];
  if (LSE != nullptr) LSE[head * N_q + i] = m + logf(l);
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q;
  const int64_t N_k = shape.seq_len_k;
  const int64_t d = shape.head_dim;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (shape.head_dim < 1 || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;

  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t blocks_per_head = (N_q + kThreads - 1) / kThreads;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  online_softmax_kernel<<<heads * blocks_per_head, kThreads, 0, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, blocks_per_head, softmax_scale);
  return cudaGetLastError();
}
