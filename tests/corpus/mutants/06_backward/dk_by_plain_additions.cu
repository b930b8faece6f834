// corpus: fails safety (race)
// corpus: survives launches
// corpus: on a GPU fails dk (wrong values | not finite)
// Blocks add to the same rows of dK without atomics: updates are lost when two meet.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int Br = 16;  // queries per block
constexpr int Bc = 16;  // keys per tile
constexpr int kThreads = Br * Bc;

// A thread per pair of a tile; then a thread per element of dQ, and of the tile's dK and dV.
__global__ void backward_kernel(
    const float* Q, const float* K, const float* V, const float* O, const float* LSE,
    const float* dO, float* dQ, float* dK, float* dV, int64_t N_q, int64_t N_k, int64_t d,
    int64_t tiles, float softmax_scale, bool causal) {
  __shared__ float Q_smem[Br][kMaxHeadDim], dO_smem[Br][kMaxHeadDim], dQ_smem[Br][kMaxHeadDim];
  __shared__ float K_smem[Bc][kMaxHeadDim];
  __shared__ float P_smem[Br][Bc], dS_smem[Br][Bc], delta_smem[Br];
  const int tid = threadIdx.x, r = tid / Bc, c = tid % Bc;
  const int64_t head = blockIdx.x / tiles, i0 = blockIdx.x % tiles * Br;
  const int rows = min(int64_t{Br}, N_q - i0);
  const int64_t first_row = head * N_q + i0, first_key = head * N_k;

  for (int n = tid; n < Br * d; n += kThreads) {
    const int row = n / d, k = n % d;
    Q_smem[row][k] = row < rows ? Q[first_row * d + n] : 0.0f;
    dO_smem[row][k] = row < rows ? dO[first_row * d + n] : 0.0f;
    dQ_smem[row][k] = 0.0f;
  }
  __syncthreads();  // dO_smem is complete
  if (tid < rows) {
    float delta = 0.0f;
    for (int k = 0; k < d; ++k) delta += dO_smem[tid][k] * O[(first_row + tid) * d + k];
    delta_smem[tid] = delta;
  }
  const int64_t block_keys = causal ? i0 + rows + N_k - N_q : N_k;
  for (int64_t j0 = 0; j0 < block_keys; j0 += Bc) {
    const int columns = min(int64_t{Bc}, N_k - j0);
    __syncthreads();  // the last tile is used up; delta_smem is complete
    for (int n = tid; n < columns * d; n += kThreads)
      K_smem[n / d][n % d] = K[(first_key + j0) * d + n];
    __syncthreads();  // K_smem is complete
    float p = 0.0f, ds = 0.0f;
    if (r < rows && c < columns && (!causal || j0 + c <= i0 + r + N_k - N_q)) {
      const float* v = V + (first_key + j0 + c) * d;  // [d]
      float s = 0.0f, dp = 0.0f;
      for (int k = 0; k < d; ++k) s += Q_smem[r][k] * K_smem[c][k];
      for (int k = 0; k < d; ++k) dp += dO_smem[r][k] * v[k];
      p = expf(softmax_scale * s - LSE[first_row + r]);
      ds = softmax_scale * p * (dp - delta_smem[r]);
    }
    P_smem[r][c] = p;
    dS_smem[r][c] = ds;
    __syncthreads();  // both matrices are complete
    for (int n = tid; n < rows * d; n += kThreads)
      for (int t = 0; t < columns; ++t)
        dQ_smem[n / d][n % d] += dS_smem[n / d][t] * K_smem[t][n % d];
    for (int n = tid; n < columns * d; n += kThreads) {
      float dv = 0.0f, dk = 0.0f;
      for (int t = 0; t < rows; ++t) dv += P_smem[t][n / d] * dO_smem[t][n % d];
      for (int t = 0; t < rows; ++t) dk += dS_smem[t][n / d] * Q_smem[t][n % d];
      atomicAdd(&dV[(first_key + j0) * d + n], dv);
      dK[(first_key + j0) * d + n] += dk;
    }
  }
  __syncthreads();  // dQ_smem is complete, also if there was no tile
  for (int n = tid; n < rows * d; n += kThreads) dQ[first_row * d + n] = dQ_smem[n / d][n % d];
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
  const int64_t tiles = (N_q + Br - 1) / Br, bytes = heads * N_k * d * sizeof(float);
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_k > 0) {
    CUDA_RETURN_IF_ERROR(cudaMemsetAsync(dK, 0, bytes, stream));
    CUDA_RETURN_IF_ERROR(cudaMemsetAsync(dV, 0, bytes, stream));
  }
  if (N_q == 0) return cudaSuccess;
  backward_kernel<<<heads * tiles, kThreads, 0, stream>>>(
      Q, K, V, O, LSE, dO, dQ, dK, dV, N_q, N_k, d, tiles, softmax_scale, causal);
  return cudaGetLastError();
}
