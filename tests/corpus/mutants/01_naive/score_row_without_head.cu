// corpus: fails safety (race)
// corpus: survives one_tile
// corpus: on a GPU fails batch_and_heads (wrong values | not finite)
// The rows of scores are counted without the head: heads that run at the same time write over each other, and heads that
// run one after the other do not.
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
  const int64_t head = blockIdx.x / blocks_per_head;  // b * H + h, counted over all batches
  const int64_t tile = blockIdx.x % blocks_per_head;  // which 64 queries of that head
  const int64_t i = tile * blockDim.x + threadIdx.x;
  if (i >= N_q) return;  // the last block of a head may have threads without a query

  const float* q_row = Q + (head * N_q + i) * d;  // [d]
  const float* K_head = K + head * N_k * d;       // [N_k, d]
  const float* V_head = V + head * N_k * d;       // [N_k, d]
  float* s_row = S + i * N_k;                     // [N_k]
  float* o_row = O + (head * N_q + i) * d;        // [d]

  float m = -INFINITY;
  for (int64_t j = 0; j < N_k; ++j) {
    float s = 0.0f;
    for (int64_t k = 0; k < d; ++k) s += q_row[k] * K_head[j * d + k];
    s *= softmax_scale;
    s_row[j] = s;
    m = fmaxf(m, s);
  }

  float l = 0.0f;
  for (int64_t j = 0; j < N_k; ++j) {
    const float p = expf(s_row[j] - m);
    s_row[j] = p;
    l += p;
  }

  for (int64_t k = 0; k < d; ++k) {
    float o = 0.0f;
    for (int64_t j = 0; j < N_k; ++j) o += s_row[j] * V_head[j * d + k];
    o_row[k] = o / l;
  }
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
