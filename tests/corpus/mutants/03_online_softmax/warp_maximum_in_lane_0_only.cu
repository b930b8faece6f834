// corpus: fails one_tile (wrong values | not finite)
// corpus: survives launches
// The maximum of a warp is reduced with shuffles down and used by all lanes, but only lane 0 has
// it.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kLanes = 32;  // keys per tile
constexpr int kWarps = 8;
constexpr int kRows = 2;  // queries per warp
constexpr int kThreads = kWarps * kLanes;
constexpr int kPadded = kLanes + 1;
constexpr int kColumns = kMaxHeadDim / kLanes;  // of O, per lane

__device__ float warp_max(float x) {
  for (int offset = kLanes / 2; offset > 0; offset /= 2)
    x = fmaxf(x, __shfl_down_sync(kAllLanes, x, offset));
  return x;
}

__device__ float warp_sum(float x) {
  for (int offset = kLanes / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(kAllLanes, x, offset);
  return x;
}

__global__ void warp_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int d, int blocks_per_head, float softmax_scale) {
  __shared__ float Kt_smem[kMaxHeadDim * kPadded];      // [d, 33]
  __shared__ float V_smem[kLanes * kMaxHeadDim];        // [32, d]
  __shared__ float Q_smem[kWarps][kRows][kMaxHeadDim];  // a warp reads only its own
  const int lane_id = threadIdx.x % kLanes;
  const int warp_id = threadIdx.x / kLanes;
  const int64_t head = blockIdx.x / blocks_per_head;
  const int64_t i0 = (int64_t(blockIdx.x % blocks_per_head) * kWarps + warp_id) * kRows;

  for (int r = 0; r < kRows; ++r)
    for (int k = lane_id; k < d; k += kLanes)
      Q_smem[warp_id][r][k] = i0 + r < N_q ? Q[(head * N_q + i0 + r) * d + k] : 0.0f;
  __syncwarp();

  float m[kRows], l[kRows], o[kRows][kColumns];
  for (int r = 0; r < kRows; ++r) {
    m[r] = -INFINITY;
    l[r] = 0.0f;
    for (int n = 0; n < kColumns; ++n) o[r][n] = 0.0f;
  }
  for (int64_t j0 = 0; j0 < N_k; j0 += kLanes) {
    __syncthreads();  // every warp is done with the previous tiles
    for (int n = threadIdx.x; n < kLanes * d; n += kThreads) {
      const int c = n / d, k = n % d;
      const bool is_key = j0 + c < N_k;
      Kt_smem[k * kPadded + c] = is_key ? K[(head * N_k + j0) * d + n] : 0.0f;
      V_smem[n] = is_key ? V[(head * N_k + j0) * d + n] : 0.0f;
    }
    __syncthreads();                                   // the tiles are complete
    for (int r = 0; r < kRows && i0 + r < N_q; ++r) {  // as often for all lanes of a warp
      float s = 0.0f;
      for (int k = 0; k < d; ++k) s += Q_smem[warp_id][r][k] * Kt_smem[k * kPadded + lane_id];
      s = j0 + lane_id < N_k ? s * softmax_scale : -INFINITY;
      const float m_new = fmaxf(m[r], warp_max(s));
      const float rescale = __expf(m[r] - m_new);
      const float p = __expf(s - m_new);
      m[r] = m_new;
      l[r] = l[r] * rescale + warp_sum(p);
      for (int n = 0; n < kColumns; ++n) o[r][n] *= rescale;
      for (int c = 0; c < kLanes; ++c) {
        const float p_c = __shfl_sync(kAllLanes, p, c);
        for (int n = 0; n < kColumns; ++n)
          if (n * kLanes + lane_id < d) o[r][n] += p_c * V_smem[c * d + n * kLanes + lane_id];
      }
    }
  }
  for (int r = 0; r < kRows && i0 + r < N_q; ++r) {
    const int64_t row = head * N_q + i0 + r;
    for (int n = 0; n < kColumns; ++n) {
      const int k = n * kLanes + lane_id;
      if (k < d) O[row * d + k] = N_k > 0 ? o[r][n] / l[r] : 0.0f;
    }
    if (lane_id == 0 && LSE != nullptr) LSE[row] = m[r] + __logf(l[r]);
  }
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
  const int64_t rows_per_block = kWarps * kRows;
  const int64_t blocks_per_head = (shape.seq_len_q + rows_per_block - 1) / rows_per_block;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (shape.seq_len_q == 0) return cudaSuccess;
  warp_kernel<<<heads * blocks_per_head, kThreads, 0, stream>>>(
      Q, K, V, O, LSE, shape.seq_len_q, shape.seq_len_k, shape.head_dim, blocks_per_head,
      softmax_scale);
  return cudaGetLastError();
}
