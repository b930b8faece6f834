// corpus: fails cross_attention (out of bounds | crash | wrong values)
// corpus: survives dv, dk, dq
// D of the head's queries is loaded into shared memory once, which has room for 2,048.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kThreads = 96;  // rows per block
constexpr int kTile = 24;     // rows per tile

struct Inputs {
  const float *Q, *K, *V, *LSE, *dO;
  float* delta;  // [B, H, N_q]
  int64_t N_q, N_k, d;
  float softmax_scale;
  bool causal;
};

// Rows n0 to n0 + kTile - 1 of two tensors [N, d]; zeros behind the last row.
__device__ void load(
    float* X_smem, float* Y_smem, const float* X, const float* Y, int64_t n0, int64_t N,
    int64_t d) {
  for (int64_t n = threadIdx.x; n < kTile * d; n += kThreads) {
    const bool exists = n0 * d + n < N * d;
    X_smem[n] = exists ? X[n0 * d + n] : 0.0f;
    Y_smem[n] = exists ? Y[n0 * d + n] : 0.0f;
  }
}

__device__ float dot(const float* a, const float* b, int64_t d) {
  float sum = 0.0f;
  for (int64_t k = 0; k < d; ++k) sum += a[k] * b[k];
  return sum;
}

// D and dQ: the keys twice.
__global__ void query_kernel(Inputs in, float* dQ, int64_t tiles) {
  __shared__ float K_smem[kTile * kMaxHeadDim], V_smem[kTile * kMaxHeadDim];  // [kTile, d]
  const int64_t N_q = in.N_q, N_k = in.N_k, d = in.d;
  const int64_t head = blockIdx.x / tiles, i = blockIdx.x % tiles * kThreads + threadIdx.x;
  const int64_t row = head * N_q + i;
  float q_reg[kMaxHeadDim] = {}, dO_reg[kMaxHeadDim] = {}, dq_reg[kMaxHeadDim] = {};  // [d]
  for (int64_t k = 0; k < d && i < N_q; ++k) {
    q_reg[k] = in.Q[row * d + k];
    dO_reg[k] = in.dO[row * d + k];
  }
  const int64_t end = i >= N_q ? 0 : in.causal ? i + 1 + N_k - N_q : N_k;
  float delta = 0.0f;
  for (int sweep = 0; sweep < 2; ++sweep) {
    for (int64_t j0 = 0; j0 < N_k; j0 += kTile) {
      __syncthreads();  // the previous tile is no longer needed
      load(K_smem, V_smem, in.K + head * N_k * d, in.V + head * N_k * d, j0, N_k, d);
      __syncthreads();  // this one is complete
      for (int c = 0; c < kTile && j0 + c < end; ++c) {
        const float s = in.softmax_scale * dot(q_reg, K_smem + c * d, d);
        const float p = expf(s - in.LSE[row]);
        const float dp = dot(dO_reg, V_smem + c * d, d);
        if (sweep == 0) {
          delta += p * dp;
        } else {
          const float ds = in.softmax_scale * p * (dp - delta);
          for (int64_t k = 0; k < d; ++k) dq_reg[k] += ds * K_smem[c * d + k];
        }
      }
    }
  }
  if (i >= N_q) return;
  in.delta[row] = delta;
  for (int64_t k = 0; k < d; ++k) dQ[row * d + k] = dq_reg[k];
}

__global__ void key_kernel(Inputs in, float* dK, float* dV, int64_t tiles) {
  __shared__ float Q_smem[kTile * kMaxHeadDim], dO_smem[kTile * kMaxHeadDim];  // [kTile, d]
  __shared__ float delta_smem[2048];                                           // [N_q]
  const int64_t N_q = in.N_q, N_k = in.N_k, d = in.d;
  const int64_t head = blockIdx.x / tiles, j = blockIdx.x % tiles * kThreads + threadIdx.x;
  const int64_t row = head * N_k + j;
  float k_reg[kMaxHeadDim] = {}, v_reg[kMaxHeadDim] = {};    // [d]
  float dk_reg[kMaxHeadDim] = {}, dv_reg[kMaxHeadDim] = {};  // [d]
  for (int64_t k = 0; k < d && j < N_k; ++k) {
    k_reg[k] = in.K[row * d + k];
    v_reg[k] = in.V[row * d + k];
  }
  for (int64_t n = threadIdx.x; n < N_q; n += kThreads)
    delta_smem[n] = in.delta[blockIdx.x / tiles * N_q + n];
  const int64_t begin = j >= N_k ? N_q : in.causal ? j + N_q - N_k : 0;
  for (int64_t i0 = 0; i0 < N_q; i0 += kTile) {
    __syncthreads();  // the previous tile is no longer needed
    load(Q_smem, dO_smem, in.Q + head * N_q * d, in.dO + head * N_q * d, i0, N_q, d);
    __syncthreads();  // this one is complete
    for (int64_t i = max(begin, i0); i < min(N_q, i0 + kTile); ++i) {
      const float *q = Q_smem + (i - i0) * d, *dO = dO_smem + (i - i0) * d;  // [d]
      const float s = in.softmax_scale * dot(q, k_reg, d);
      const float p = expf(s - in.LSE[head * N_q + i]);
      const float ds = in.softmax_scale * p * (dot(dO, v_reg, d) - delta_smem[i]);
      for (int64_t k = 0; k < d; ++k) dv_reg[k] += p * dO[k];
      for (int64_t k = 0; k < d; ++k) dk_reg[k] += ds * q[k];
    }
  }
  for (int64_t k = 0; k < d && j < N_k; ++k) {
    dK[row * d + k] = dk_reg[k];
    dV[row * d + k] = dv_reg[k];
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
  const int64_t q_tiles = (N_q + kThreads - 1) / kThreads;
  const int64_t k_tiles = (N_k + kThreads - 1) / kThreads;
  if (q_tiles > INT32_MAX / heads || k_tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  float* delta = nullptr;
  if (N_q > 0) CUDA_RETURN_IF_ERROR(cudaMallocAsync(&delta, heads * N_q * sizeof(float), stream));
  const Inputs in = {Q, K, V, LSE, dO, delta, N_q, N_k, d, softmax_scale, causal};
  if (N_q > 0) query_kernel<<<heads * q_tiles, kThreads, 0, stream>>>(in, dQ, q_tiles);
  if (N_k > 0) key_kernel<<<heads * k_tiles, kThreads, 0, stream>>>(in, dK, dV, k_tiles);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = delta ? cudaFreeAsync(delta, stream) : cudaSuccess;
  return launched != cudaSuccess ? launched : freed;
}
