// corpus: passes
// A warp per query: lanes share the keys, shuffles combine the maximum and the sum, lanes share the
// columns.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kWarps = 4;  // per block

__device__ float warp_max(float x) {
  for (int offset = 16; offset > 0; offset /= 2)
    x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, offset));
  return x;
}

__device__ float warp_sum(float x) {
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(kAllLanes, x, offset);
  return x;
}

__global__ void warp_attention_kernel(
    const float* Q, const float* K, const float* V, float* S, float* O, int64_t rows, int64_t N_q,
    int64_t N_k, int d, float softmax_scale) {
  const int lane_id = threadIdx.x % warpSize;
  const int warp_id = threadIdx.x / warpSize;
  const int64_t row = int64_t(blockIdx.x) * kWarps + warp_id;
  if (row >= rows) return;  // whole warps leave, never single lanes
  const int64_t head = row / N_q;
  float* s_row = S + row * N_k;  // [N_k]

  float m = -INFINITY;
  for (int64_t j = lane_id; j < N_k; j += warpSize) {
    const float* k_row = K + (head * N_k + j) * d;
    float s = 0.0f;
    for (int k = 0; k < d; ++k) s += Q[row * d + k] * k_row[k];
    s_row[j] = s * softmax_scale;
    m = fmaxf(m, s_row[j]);
  }
  m = warp_max(m);

  float l = 0.0f;
  for (int64_t j = lane_id; j < N_k; j += warpSize) {
    s_row[j] = expf(s_row[j] - m);
    l += s_row[j];
  }
  l = warp_sum(l);
  __syncwarp();  // every lane reads the weights of all lanes from here on

  for (int k = lane_id; k < d; k += warpSize) {
    float o = 0.0f;
    for (int64_t j = 0; j < N_k; ++j) o += s_row[j] * V[(head * N_k + j) * d + k];
    O[row * d + k] = o / l;
  }
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
  if (shape.batch <= 0 || shape.num_heads <= 0 || shape.num_heads_kv <= 0)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (shape.head_dim <= 0 || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;

  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k;
  if (N_q == 0) return cudaSuccess;
  if (heads > int64_t(INT32_MAX) * kWarps / N_q) return cudaErrorInvalidValue;
  const int64_t rows = heads * N_q;
  if (N_k == 0) return cudaMemsetAsync(O, 0, rows * shape.head_dim * sizeof(float), stream);
  if (rows > INT64_MAX / 4 / N_k) return cudaErrorMemoryAllocation;
  const unsigned blocks = (rows + kWarps - 1) / kWarps;

  float* S = nullptr;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * N_k * sizeof(float), stream));
  warp_attention_kernel<<<blocks, kWarps * 32, 0, stream>>>(
      Q, K, V, S, O, rows, N_q, N_k, shape.head_dim, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
