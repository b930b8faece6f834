// corpus: fails safety (race)
// corpus: survives many_tiles
// corpus: on a GPU fails one_tile (wrong values)
// The lanes of a warp add their sums to one place in shared memory without an atomic operation: on
// a GPU they all read it before the first of them writes, and one sum is left.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kWarps = 16;  // queries per block
constexpr int kLanes = 32;  // keys per tile
constexpr int kThreads = kWarps * kLanes;
constexpr int kPadded = kLanes + 1;
constexpr int kColumns = kMaxHeadDim / kLanes;  // of O, per lane

__device__ float warp_max(float x) {
  for (int offset = kLanes / 2; offset > 0; offset /= 2)
    x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, offset));
  return x;
}

__global__ void warp_kernel(
    const float* Q,  // [B, H, N_q, d]
    const float* K,  // [B, H, N_k, d]
    const float* V,  // [B, H, N_k, d]
    float* S,        // [B, H, N_q, N_k] scratch
    float* O,        // [B, H, N_q, d]
    int64_t N_q, int64_t N_k, int d, int blocks_per_head, float softmax_scale) {
  __shared__ float tile_smem[kMaxHeadDim * kPadded];  // K: [d, 33], V: [32, d]
  __shared__ float Q_smem[kWarps][kMaxHeadDim];
  __shared__ float l_smem[kWarps];
  const int lane_id = threadIdx.x % kLanes;
  const int warp_id = threadIdx.x / kLanes;
  const int64_t head = blockIdx.x / blocks_per_head;
  const int64_t i = int64_t(blockIdx.x % blocks_per_head) * kWarps + warp_id;
  const bool has_query = i < N_q;  // the same for a whole warp
  const float* K_head = K + head * N_k * d;
  const float* V_head = V + head * N_k * d;
  float* s_row = S + (head * N_q + i) * N_k;

  if (has_query)
    for (int k = lane_id; k < d; k += kLanes) Q_smem[warp_id][k] = Q[(head * N_q + i) * d + k];

  float m = -INFINITY;  // of this lane's keys
  for (int64_t j0 = 0; j0 < N_k; j0 += kLanes) {
    for (int n = threadIdx.x; n < kLanes * d; n += kThreads)
      if (j0 + n / d < N_k) tile_smem[n % d * kPadded + n / d] = K_head[j0 * d + n];
    __syncthreads();  // the tile is complete, and so is Q_smem
    if (has_query && j0 + lane_id < N_k) {
      float s = 0.0f;
      for (int k = 0; k < d; ++k) s += Q_smem[warp_id][k] * tile_smem[k * kPadded + lane_id];
      s *= softmax_scale;
      s_row[j0 + lane_id] = s;  // read again by the same lane only
      m = fmaxf(m, s);
    }
    __syncthreads();  // everybody is done with the tile
  }
  m = warp_max(m);

  float l = 0.0f;  // of this lane's keys
  float o_reg[kColumns] = {};
  for (int64_t j0 = 0; j0 < N_k; j0 += kLanes) {
    const int values = N_k - j0 < kLanes ? int(N_k - j0) : kLanes;
    for (int n = threadIdx.x; n < values * d; n += kThreads) tile_smem[n] = V_head[j0 * d + n];
    __syncthreads();  // the tile is complete
    if (has_query) {
      const float p = lane_id < values ? expf(s_row[j0 + lane_id] - m) : 0.0f;
      l += p;
      for (int c = 0; c < values; ++c) {
        const float p_c = __shfl_sync(kAllLanes, p, c);
        for (int n = 0; n < kColumns; ++n)
          if (n * kLanes + lane_id < d) o_reg[n] += p_c * tile_smem[c * d + n * kLanes + lane_id];
      }
    }
    __syncthreads();  // everybody is done with the tile
  }
  if (lane_id == 0) l_smem[warp_id] = 0.0f;
  __syncwarp();
  l_smem[warp_id] += l;
  __syncwarp();
  l = l_smem[warp_id];
  if (!has_query) return;
  for (int n = 0; n < kColumns; ++n) {
    const int k = n * kLanes + lane_id;
    if (k < d) O[(head * N_q + i) * d + k] = o_reg[n] / l;
  }
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
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t blocks_per_head = (N_q + kWarps - 1) / kWarps;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  const size_t rows = heads * N_q;
  if (N_k == 0) return cudaMemsetAsync(O, 0, rows * shape.head_dim * sizeof(float), stream);

  float* S = nullptr;
  if (rows > SIZE_MAX / sizeof(float) / N_k) return cudaErrorMemoryAllocation;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * N_k * sizeof(float), stream));
  warp_kernel<<<heads * blocks_per_head, kThreads, 0, stream>>>(
      Q, K, V, S, O, N_q, N_k, shape.head_dim, blocks_per_head, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
