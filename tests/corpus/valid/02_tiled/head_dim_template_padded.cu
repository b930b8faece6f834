// corpus: passes
// Head dimensions are rounded up to 16, 32, 64 or 128 at compile time, the columns in excess are
// zeros. The workspace holds exp(s - m_tile) with one maximum per tile, corrected when it is read.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int Br = 128;
constexpr int Bc = 16;

template <int D>
__device__ void stage(float (&tile)[Bc][D], const float* rows, int64_t left, int d) {
  for (int n = threadIdx.x; n < Bc * D; n += Br) {
    const int c = n / D, k = n % D;
    tile[c][k] = c < left && k < d ? rows[int64_t(c) * d + k] : 0.0f;
  }
}

template <int D>
__global__ void padded_kernel(
    const float* Q, const float* K, const float* V, float* P, float* m_tile, float* O, int64_t N_q,
    int64_t N_k, int d, int blocks_per_head, float softmax_scale) {
  __shared__ float tile[Bc][D];
  const int64_t head = blockIdx.x / blocks_per_head;
  const int64_t i = int64_t(blockIdx.x % blocks_per_head) * Br + threadIdx.x;
  const int64_t T_c = (N_k + Bc - 1) / Bc;
  const bool has_query = i < N_q;
  const int64_t row = head * N_q + i;

  float q[D];
#pragma unroll
  for (int k = 0; k < D; ++k) q[k] = has_query && k < d ? softmax_scale * Q[row * d + k] : 0.0f;

  float m = -INFINITY;
  for (int64_t t = 0; t < T_c; ++t) {
    stage(tile, K + (head * N_k + t * Bc) * d, N_k - t * Bc, d);
    __syncthreads();
    float s[Bc];
    float tile_max = -INFINITY;
#pragma unroll
    for (int c = 0; c < Bc; ++c) {
      s[c] = 0.0f;
#pragma unroll 8
      for (int k = 0; k < D; ++k) s[c] += q[k] * tile[c][k];
      if (t * Bc + c >= N_k) s[c] = -INFINITY;
      tile_max = fmaxf(tile_max, s[c]);
    }
    __syncthreads();
    if (!has_query) continue;
    m_tile[row * T_c + t] = tile_max;
    m = fmaxf(m, tile_max);
    for (int c = 0; c < Bc; ++c) P[(row * T_c + t) * Bc + c] = __expf(s[c] - tile_max);
  }

  float o[D] = {};
  float l = 0.0f;
  for (int64_t t = 0; t < T_c; ++t) {
    stage(tile, V + (head * N_k + t * Bc) * d, N_k - t * Bc, d);
    __syncthreads();
    if (has_query) {
      const float correction = __expf(m_tile[row * T_c + t] - m);
#pragma unroll 4
      for (int c = 0; c < Bc; ++c) {
        const float p = correction * P[(row * T_c + t) * Bc + c];
        l += p;
#pragma unroll
        for (int k = 0; k < D; ++k) o[k] += p * tile[c][k];
      }
    }
    __syncthreads();
  }
  if (!has_query) return;
#pragma unroll
  for (int k = 0; k < D; ++k)
    if (k < d) O[row * d + k] = __fdividef(o[k], l);
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
  const int d = shape.head_dim;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t blocks_per_head = (N_q + Br - 1) / Br;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  const size_t rows = heads * N_q;
  if (N_k == 0) return cudaMemsetAsync(O, 0, rows * d * sizeof(float), stream);

  const size_t T_c = (N_k + Bc - 1) / Bc;
  if (rows > SIZE_MAX / 8 / (Bc + 1) / T_c) return cudaErrorMemoryAllocation;
  float* P = nullptr;  // [rows, T_c, Bc], and behind it m_tile [rows, T_c]
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&P, rows * T_c * (Bc + 1) * sizeof(float), stream));
  const auto kernel = d <= 16   ? padded_kernel<16>
                      : d <= 32 ? padded_kernel<32>
                      : d <= 64 ? padded_kernel<64>
                                : padded_kernel<128>;
  kernel<<<unsigned(heads * blocks_per_head), Br, 0, stream>>>(
      Q, K, V, P, P + rows * T_c * Bc, O, N_q, N_k, d, int(blocks_per_head), softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(P, stream);
  return launched != cudaSuccess ? launched : freed;
}
