// Lesson 01: naive attention, one thread per query.
//
// Before    nothing: this is the first kernel.
// Change    everything is new: S = scale * Q K^T, P = softmax(S), O = P V, each as a plain loop.
// Why       queries do not depend on each other, so each can have a thread of its own.
// Grid      batch * num_heads * ceil(N_q / 64) blocks, all along x: y and z end at 65,535.
// Block     64 threads; a block works on 64 queries of one head, a thread on one query.
// Shared    none. Scratch in global memory: N_q * N_k floats per head, 4 N^2 bytes if both are N.
// Requires  head_dim <= 128, num_heads_kv = num_heads, no causal mask. LSE is ignored.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kThreads = 64;  // queries per block

__global__ void naive_attention_kernel(
    const float* Q,       // [B, H, N_q, d]
    const float* K,       // [B, H, N_k, d]
    const float* V,       // [B, H, N_k, d]
    float* S,             // [B, H, N_q, N_k] scratch, uninitialised: holds S, then exp(S - m)
    float* O,             // [B, H, N_q, d]
    int64_t N_q,          // queries; 64-bit, because products of sizes pass 2^31
    int64_t N_k,          // keys
    int64_t d,            // head dimension
    int blocks_per_head,  // ceil(N_q / kThreads)
    float softmax_scale) {
  // TODO(01.1): find this thread's query and its data.   (~9 lines)
  // Block n works on head n / blocks_per_head, where head = b * H + h counts over all batches, and
  // on tile n % blocks_per_head of it. Thread r of the block owns query i = tile * blockDim.x + r.
  // The last tile may be ragged: a thread with i >= N_q reads and writes nothing.
  // Point at the rows of query i in Q [d], S [N_k] and O [d], and at this head's K and V [N_k, d].
  (void)Q, (void)K, (void)V, (void)S, (void)O;  // keeps the compiler quiet: delete these lines
  (void)N_q, (void)N_k, (void)d, (void)blocks_per_head, (void)softmax_scale;
  // END(01.1)

  // TODO(01.2): the scaled scores of this query, and their maximum.   (~8 lines)
  // For each key j: s_ij = softmax_scale * (sum over k of Q_ik * K_jk), kept in this query's row
  // of S; m = max over j of s_ij. The scale may be negative, and so may every score.
  // END(01.2)

  // TODO(01.3): exponentials, and their sum.   (~6 lines)
  // For each key j: replace s_ij by p_ij = exp(s_ij - m). l = sum over j of p_ij.
  // There is at least one key: the launcher deals with N_k = 0.
  // END(01.3)

  // TODO(01.4): the output row.   (~5 lines)
  // For each k: O_ik = (sum over j of p_ij * V_jk) / l. O holds garbage until you write it.
  // END(01.4)
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
  naive_attention_kernel<<<heads * blocks_per_head, kThreads, 0, stream>>>(
      Q, K, V, S, O, N_q, N_k, d, blocks_per_head, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);  // also after a failed launch
  return launched != cudaSuccess ? launched : freed;
}
