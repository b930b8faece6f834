// Lesson 02: tiles of K and V in shared memory, loaded once per block.
//
// Before    every thread reads all of K and V from global memory: N_q passes over each.
// Change    a block copies K, then V, to shared memory, 32 rows at a time; its threads read those.
// Why       64 queries share each copy: ceil(N_q / 64) passes over K and V instead of N_q.
// Grid      batch * num_heads * ceil(N_q / 64) blocks, all along x: y and z end at 65,535.
// Block     64 threads; a block works on 64 queries of one head, a thread on one query.
// Shared    16 KiB: a tile of 32 rows of d <= 128 floats. S stays in global memory, as before.
// Requires  head_dim <= 128, num_heads_kv = num_heads, no causal mask. LSE is ignored.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kThreads = 64;  // queries per block
constexpr int Bc = 32;        // keys per tile

// Copies Bc rows, from row j0 on, of rows [N_k, d] to tile_smem [Bc, d]; a row past the end becomes
// zeros. The whole block takes part.
__device__ void load_tile(float* tile_smem, const float* rows, int64_t j0, int64_t N_k, int64_t d) {
  // DONE(02.1): copy a tile, neighbouring threads neighbouring floats.   (~2 lines)
  for (int64_t n = threadIdx.x; n < Bc * d; n += kThreads)
    tile_smem[n] = j0 * d + n < N_k * d ? rows[j0 * d + n] : 0.0f;
  // END(02.1)
}

__global__ void tiled_attention_kernel(
    const float* Q,       // [B, H, N_q, d]
    const float* K,       // [B, H, N_k, d]
    const float* V,       // [B, H, N_k, d]
    float* S,             // [B, H, N_q, N_k] scratch, uninitialised: the scaled scores
    float* O,             // [B, H, N_q, d]
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
  float* s_row = S + (head * N_q + i) * N_k;      // [N_k]
  float* o_row = O + (head * N_q + i) * d;        // [d]

  __shared__ float tile_smem[Bc * kMaxHeadDim];  // [Bc, d], a tile of K, later one of V
  float q_reg[kMaxHeadDim];       // [d]; indexed at run time, so it lies in local memory
  float o_reg[kMaxHeadDim] = {};  // [d], likewise; not yet divided by l
  for (int64_t k = 0; k < d; ++k) q_reg[k] = has_query ? q_row[k] : 0.0f;

  float m = -INFINITY;
  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    __syncthreads();  // every thread is done with the previous tile before this one overwrites it
    load_tile(tile_smem, K_head, j0, N_k, d);
    __syncthreads();           // the tile is complete before any thread reads it
    if (!has_query) continue;  // not return: the next barriers wait for every thread of the block

    // DONE(02.2): the scaled scores of one tile of keys, and the maximum so far.   (~9 lines)
    float s_reg[Bc] = {};  // [Bc], row i of this tile of S
    for (int64_t k = 0; k < d; ++k)
      for (int c = 0; c < Bc; ++c) s_reg[c] += q_reg[k] * tile_smem[c * d + k];
    for (int c = 0; c < Bc; ++c) {
      if (j0 + c >= N_k) continue;  // a row of zeros, not a key
      const float s = softmax_scale * s_reg[c];
      s_row[j0 + c] = s;
      m = fmaxf(m, s);
    }
    // END(02.2)
  }

  float l = 0.0f;
  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    __syncthreads();  // every thread is done with the previous tile before this one overwrites it
    load_tile(tile_smem, V_head, j0, N_k, d);
    __syncthreads();           // the tile is complete before any thread reads it
    if (!has_query) continue;  // not return: the next barriers wait for every thread of the block

    // DONE(02.3): the weights of one tile of keys, and what they add to l and o.   (~7 lines)
    float p_reg[Bc];  // [Bc], row i of this tile of exp(S - m)
    for (int c = 0; c < Bc; ++c) {
      p_reg[c] = j0 + c < N_k ? expf(s_row[j0 + c] - m) : 0.0f;
      l += p_reg[c];
    }
    for (int64_t k = 0; k < d; ++k)
      for (int c = 0; c < Bc; ++c) o_reg[k] += p_reg[c] * tile_smem[c * d + k];
    // END(02.3)
  }

  if (!has_query) return;  // no barrier follows
  for (int64_t k = 0; k < d; ++k) o_row[k] = o_reg[k] / l;
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q,  // [B, H, N_q, d]
    const float* K,  // [B, H, N_k, d]
    const float* V,  // [B, H, N_k, d]
    float* O,        // [B, H, N_q, d]
    float* LSE,      // not computed in this lesson, may be null
    AttentionShape shape, float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
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

  // Nothing to compute; or no keys, and a weighted sum of nothing is 0.
  if (N_q == 0) return cudaSuccess;
  const size_t rows = heads * N_q;
  if (N_k == 0) return cudaMemsetAsync(O, 0, rows * d * sizeof(float), stream);

  float* S = nullptr;  // [B, H, N_q, N_k]
  if (rows > SIZE_MAX / sizeof(float) / N_k) return cudaErrorMemoryAllocation;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * N_k * sizeof(float), stream));
  tiled_attention_kernel<<<heads * blocks_per_head, kThreads, 0, stream>>>(
      Q, K, V, S, O, N_q, N_k, d, blocks_per_head, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);  // also after a failed launch
  return launched != cudaSuccess ? launched : freed;
}
