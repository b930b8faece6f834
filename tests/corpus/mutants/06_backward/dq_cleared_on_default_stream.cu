// corpus: fails contract (contract)
// corpus: survives launches, dv
// corpus: on a GPU fails dq or contract (wrong values | not finite | contract)
// dQ is cleared on the default stream, which the given stream does not wait for: the first additions
// may come before.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int Br = 8;   // queries per tile
constexpr int Bc = 40;  // keys per block
constexpr int kThreads = Br * Bc;

__global__ void delta_kernel(
    const float* O, const float* dO, float* delta, int64_t rows, int64_t d) {
  const int64_t row = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (row >= rows) return;
  float sum = 0.0f;
  for (int64_t k = 0; k < d; ++k) sum += dO[row * d + k] * O[row * d + k];
  delta[row] = sum;
}

__global__ void backward_kernel(
    const float* Q, const float* K, const float* V, const float* LSE, const float* dO,
    const float* delta, float* dQ, float* dK, float* dV, int64_t N_q, int64_t N_k, int64_t d,
    int64_t tiles, float softmax_scale, bool causal) {
  extern __shared__ float smem[];
  float* K_smem = smem;               // [Bc, d]
  float* V_smem = K_smem + Bc * d;    // [Bc, d]
  float* dK_smem = V_smem + Bc * d;   // [Bc, d]
  float* dV_smem = dK_smem + Bc * d;  // [Bc, d]
  float* P_smem = dV_smem + Bc * d;   // [Br, Bc]
  float* dS_smem = P_smem + Br * Bc;  // [Br, Bc]
  const int tid = threadIdx.x, r = tid / Bc, c = tid % Bc;
  const int64_t head = blockIdx.x / tiles, j0 = blockIdx.x % tiles * Bc;
  const int columns = min(int64_t{Bc}, N_k - j0);
  const int64_t first_key = head * N_k + j0;
  for (int n = tid; n < columns * d; n += kThreads) {
    K_smem[n] = K[first_key * d + n];
    V_smem[n] = V[first_key * d + n];
    dK_smem[n] = dV_smem[n] = 0.0f;
  }
  __syncthreads();  // the block's tiles are complete

  const int64_t begin = causal ? max(int64_t{0}, j0 + N_q - N_k) : 0;
  for (int64_t i0 = begin; i0 < N_q; i0 += Br) {
    const int rows = min(int64_t{Br}, N_q - i0);
    const int64_t first_row = head * N_q + i0;
    const float *q = Q + (first_row + r) * d, *g = dO + (first_row + r) * d;  // [d]
    if (r < rows && c < columns) {
      float s = 0.0f, dp = 0.0f;
      for (int k = 0; k < d; ++k) s += q[k] * K_smem[c * d + k];
      for (int k = 0; k < d; ++k) dp += g[k] * V_smem[c * d + k];
      const bool sees = !causal || j0 + c <= i0 + r + N_k - N_q;
      const float p = sees ? expf(softmax_scale * s - LSE[first_row + r]) : 0.0f;
      P_smem[tid] = p;
      dS_smem[tid] = softmax_scale * p * (dp - delta[first_row + r]);
    }
    __syncthreads();  // P and dS are complete
    for (int n = tid; n < columns * d; n += kThreads) {
      const int column = n / d, k = n % d;
      for (int t = 0; t < rows; ++t) {
        dV_smem[n] += P_smem[t * Bc + column] * dO[(first_row + t) * d + k];
        dK_smem[n] += dS_smem[t * Bc + column] * Q[(first_row + t) * d + k];
      }
    }
    for (int n = tid; n < rows * d; n += kThreads) {
      float dq = 0.0f;
      for (int t = 0; t < columns; ++t) dq += dS_smem[n / d * Bc + t] * K_smem[t * d + n % d];
      atomicAdd(&dQ[first_row * d + n], dq);
    }
    __syncthreads();  // P and dS may be overwritten
  }
  // Each thread wrote the elements of dK_smem and dV_smem that it reads here.
  for (int n = tid; n < columns * d; n += kThreads) {
    dK[first_key * d + n] = dK_smem[n];
    dV[first_key * d + n] = dV_smem[n];
  }
}

}  // namespace

extern "C" cudaError_t attention_backward(
    const float* Q, const float* K, const float* V, const float* O, const float* LSE,
    const float* dO, float* dQ, float* dK, float* dV, AttentionShape shape, float softmax_scale,
    bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (N_q < 0 || N_k < 0 || d < 1 || d > kMaxHeadDim) return cudaErrorInvalidValue;
  if (N_q > 0 && !(Q && O && LSE && dO && dQ)) return cudaErrorInvalidValue;
  if (N_k > 0 && !(K && V && dK && dV)) return cudaErrorInvalidValue;
  if (shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t tiles = (N_k + Bc - 1) / Bc, rows = heads * N_q;
  const int64_t row_blocks = (rows + kThreads - 1) / kThreads;
  if (tiles > INT32_MAX / heads || row_blocks > INT32_MAX) return cudaErrorInvalidValue;
  const int shared_bytes = (4 * Bc * d + 2 * Br * Bc) * sizeof(float);
  CUDA_RETURN_IF_ERROR(cudaFuncSetAttribute(
      backward_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
  float* delta = nullptr;  // [B, H, N_q]
  cudaError_t error = cudaSuccess;
  if (N_q > 0) {
    CUDA_RETURN_IF_ERROR(cudaMallocAsync(&delta, rows * sizeof(float), stream));
    error = cudaMemset(dQ, 0, rows * d * sizeof(float));
    delta_kernel<<<row_blocks, kThreads, 0, stream>>>(O, dO, delta, rows, d);
  }
  if (N_k > 0)
    backward_kernel<<<heads * tiles, kThreads, shared_bytes, stream>>>(
        Q, K, V, LSE, dO, delta, dQ, dK, dV, N_q, N_k, d, tiles, softmax_scale, causal);
  if (error == cudaSuccess) error = cudaGetLastError();
  const cudaError_t freed = delta ? cudaFreeAsync(delta, stream) : cudaSuccess;
  return error != cudaSuccess ? error : freed;
}
