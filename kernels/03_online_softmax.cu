// Lesson 03: online softmax, one pass over K and V, and no score is ever stored.
//
// Before    N_k scores per query wait in global memory until their maximum is known.
// Change    m and l run along with the keys; when a tile raises m, what was summed is rescaled.
// Why       a tile of scores fits into registers, so the N^2 floats of S are gone.
// Grid      batch * num_heads * ceil(N_q / 64) blocks, all along x: y and z end at 65,535.
// Block     64 threads; a block works on 64 queries of one head, a thread on one query.
// Shared    32 KiB: a tile of K and one of V, 32 rows each, of d <= 128 floats. No scratch.
// Requires  head_dim <= 128, num_heads_kv = num_heads, no causal mask. LSE may be null.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kThreads = 64;  // queries per block
constexpr int Bc = 32;        // keys per tile

// Copies Bc rows, from row j0 on, of rows [N_k, d] to tile_smem [Bc, d]; a row past the end becomes
// zeros. The whole block takes part.
__device__ void load_tile(float* tile_smem, const float* rows, int64_t j0, int64_t N_k, int64_t d) {
  for (int64_t n = threadIdx.x; n < Bc * d; n += kThreads)
    tile_smem[n] = j0 * d + n < N_k * d ? rows[j0 * d + n] : 0.0f;
}

__global__ void online_softmax_kernel(
    const float* Q,       // [B, H, N_q, d]
    const float* K,       // [B, H, N_k, d]
    const float* V,       // [B, H, N_k, d]
    float* O,             // [B, H, N_q, d]
    float* LSE,           // [B, H, N_q], or null
    int64_t N_q,          // queries; 64-bit, because products of sizes pass 2^31
    int64_t N_k,          // keys
    int64_t d,            // head dimension
    int blocks_per_head,  // ceil(N_q / kThreads)
    float softmax_scale) {
  const int64_t head = blockIdx.x / blocks_per_head;  // b * H + h, counted over all batches
  const int64_t tile = blockIdx.x % blocks_per_head;  // which 64 queries of that head
  const int64_t i = tile * blockDim.x + threadIdx.x;
  const bool has_query = i < N_q;  // the others help to load tiles, and compute nothing

  const float* q_row = Q + (head * N_q + i) * d;  // [d]
  const float* K_head = K + head * N_k * d;       // [N_k, d]
  const float* V_head = V + head * N_k * d;       // [N_k, d]
  float* o_row = O + (head * N_q + i) * d;        // [d]

  __shared__ float K_smem[Bc * kMaxHeadDim];  // [Bc, d]
  __shared__ float V_smem[Bc * kMaxHeadDim];  // [Bc, d]
  float q_reg[kMaxHeadDim];       // [d]; indexed at run time, so it lies in local memory
  float o_reg[kMaxHeadDim] = {};  // [d], likewise; not yet divided by l
  for (int64_t k = 0; k < d; ++k) q_reg[k] = has_query ? q_row[k] : 0.0f;

  float m = -INFINITY;  // the maximum of the scores so far
  float l = 0.0f;       // the sum of exp(s - m) so far
  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    // TODO(03.1): load one tile of K and one of V.   (~4 lines)
    // Fill K_smem and V_smem with the tiles that begin with key j0. Two barriers are needed, for
    // all threads of the block: name the hazard that each one removes.
    (void)&K_head, (void)&V_head, (void)&K_smem, (void)&V_smem;  // delete these lines
    (void)load_tile;
    // END(03.1)
    if (!has_query) continue;  // not return: the next barriers wait for every thread of the block

    float s_reg[Bc] = {};  // [Bc], row i of this tile of S
    for (int64_t k = 0; k < d; ++k)
      for (int c = 0; c < Bc; ++c) s_reg[c] += q_reg[k] * K_smem[c * d + k];
    for (int c = 0; c < Bc; ++c) s_reg[c] = j0 + c < N_k ? softmax_scale * s_reg[c] : -INFINITY;

    // TODO(03.2): fold the tile into m, l and o.   (~14 lines)
    // m_new = the maximum of m and of this tile's s_reg. What was summed so far belongs to the old
    // m: rescale l and o_reg by exp(m - m_new). Then add, for each c, p_c = exp(s_reg[c] - m_new)
    // to l, and p_c * V_ck to o_reg[k] for each k. In the first tile m is -inf: exp(-inf) is 0, as
    // it should be.
    (void)&s_reg, (void)&m, (void)&l, (void)&o_reg;  // delete this line
    // END(03.2)
  }

  if (!has_query) return;  // no barrier follows
  // TODO(03.3): the output row and its LSE.   (~3 lines)
  // O_ik = o_k / l, and LSE_i = m + ln(l) unless LSE is null. If N_k = 0, then l = 0: O_ik has to
  // be 0 and LSE_i -inf.
  (void)&o_row, (void)LSE;  // delete this line
  // END(03.3)
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q,  // [B, H, N_q, d]
    const float* K,  // [B, H, N_k, d]
    const float* V,  // [B, H, N_k, d]
    float* O,        // [B, H, N_q, d]
    float* LSE,      // [B, H, N_q], may be null
    AttentionShape shape, float softmax_scale, bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q;
  const int64_t N_k = shape.seq_len_k;
  const int64_t d = shape.head_dim;

  // What no lesson accepts, then what this lesson does not have yet.
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (N_q < 0 || N_k < 0 || d < 1 || d > kMaxHeadDim) return cudaErrorInvalidValue;
  if (N_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (N_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;

  // gridDim.x ends at 2^31 - 1. Written as a division, because the product itself may overflow.
  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t blocks_per_head = (N_q + kThreads - 1) / kThreads;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;  // nothing to compute
  online_softmax_kernel<<<heads * blocks_per_head, kThreads, 0, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, blocks_per_head, softmax_scale);
  return cudaGetLastError();
}
