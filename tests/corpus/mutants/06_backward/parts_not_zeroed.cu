// corpus: fails causal (not finite)
// corpus: survives hard_numbers
// corpus: on a GPU fails safety (uninitialised read)
// A part of dQ is not zeroed: its first tile stores, the others add. With the mask the first tile
// does not come to every query.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kParts = 4;     // blocks per head
constexpr int kThreads = 32;  // keys per tile, a thread each; then a thread per column of dQ

__device__ float dot(const float* a, const float* b, int64_t d) {
  float sum = 0.0f;
  for (int64_t k = 0; k < d; ++k) sum += a[k] * b[k];
  return sum;
}

__global__ void backward_kernel(
    const float* Q, const float* K, const float* V, const float* O, const float* LSE,
    const float* dO, float* parts, float* dK, float* dV, int64_t rows, int64_t N_q, int64_t N_k,
    int64_t d, float softmax_scale, bool causal) {
  __shared__ float dS_smem[kThreads];
  const int tid = threadIdx.x, part = blockIdx.x % kParts;
  const int64_t head = blockIdx.x / kParts;
  const float *Q_head = Q + head * N_q * d, *dO_head = dO + head * N_q * d;  // [N_q, d]
  const float* O_head = O + head * N_q * d;                                  // [N_q, d]
  const float* K_head = K + head * N_k * d;                                  // [N_k, d]
  float* dQ_part = parts + (part * rows + head * N_q) * d;                   // [N_q, d]

  for (int64_t j0 = int64_t{part} * kThreads; j0 < N_k; j0 += kParts * kThreads) {
    const int64_t j = j0 + tid;
    float k_reg[kMaxHeadDim], v_reg[kMaxHeadDim];              // [d]
    float dk_reg[kMaxHeadDim] = {}, dv_reg[kMaxHeadDim] = {};  // [d]
    for (int64_t k = 0; k < d && j < N_k; ++k) {
      k_reg[k] = K_head[j * d + k];
      v_reg[k] = V[(head * N_k + j) * d + k];
    }
    for (int64_t i = causal ? max(int64_t{0}, j0 + N_q - N_k) : 0; i < N_q; ++i) {
      const float *q = Q_head + i * d, *g = dO_head + i * d;  // [d]
      float ds = 0.0f;
      if (j < N_k && (!causal || j <= i + N_k - N_q)) {
        const float p = expf(softmax_scale * dot(q, k_reg, d) - LSE[head * N_q + i]);
        ds = p * (dot(g, v_reg, d) - dot(g, O_head + i * d, d)) * softmax_scale;
        for (int64_t k = 0; k < d; ++k) dv_reg[k] += p * g[k];
        for (int64_t k = 0; k < d; ++k) dk_reg[k] += ds * q[k];
      }
      dS_smem[tid] = ds;
      __syncthreads();  // one row of dS is complete
      for (int64_t k = tid; k < d; k += kThreads) {
        float dq = 0.0f;
        for (int t = 0; t < kThreads && j0 + t < N_k; ++t)
          dq += dS_smem[t] * K_head[(j0 + t) * d + k];
        dQ_part[i * d + k] = j0 == int64_t{part} * kThreads ? dq : dQ_part[i * d + k] + dq;
      }
      __syncthreads();  // the row may be overwritten
    }
    for (int64_t k = 0; k < d && j < N_k; ++k) {
      dK[(head * N_k + j) * d + k] = dk_reg[k];
      dV[(head * N_k + j) * d + k] = dv_reg[k];
    }
  }
}

__global__ void sum_kernel(const float* parts, float* dQ, int64_t elements, int64_t tiles) {
  const int64_t n = int64_t{blockIdx.x} * 256 + threadIdx.x;
  if (n >= elements) return;
  float sum = 0.0f;
  for (int part = 0; part < kParts && part < tiles; ++part) sum += parts[part * elements + n];
  dQ[n] = sum;
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
  const int64_t elements = heads * N_q * d, blocks = (elements + 255) / 256;
  if (heads > INT32_MAX / kParts || blocks > INT32_MAX) return cudaErrorInvalidValue;
  if (N_q == 0 && N_k == 0) return cudaSuccess;
  float* parts = nullptr;  // [kParts, B, H, N_q, d]
  if (N_q > 0)
    CUDA_RETURN_IF_ERROR(cudaMallocAsync(&parts, kParts * elements * sizeof(float), stream));
  backward_kernel<<<kParts * heads, kThreads, 0, stream>>>(
      Q, K, V, O, LSE, dO, parts, dK, dV, heads * N_q, N_q, N_k, d, softmax_scale, causal);
  if (N_q > 0)
    sum_kernel<<<blocks, 256, 0, stream>>>(parts, dQ, elements, (N_k + kThreads - 1) / kThreads);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = parts ? cudaFreeAsync(parts, stream) : cudaSuccess;
  return launched != cudaSuccess ? launched : freed;
}
