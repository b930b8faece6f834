// corpus: fails safety (out of bounds)
// corpus: survives launches
// corpus: on a GPU fails launches (out of bounds)
// Asks for shared memory for two tiles; there are three since Q is one of them.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kTile = 64;  // queries per block, and keys per tile
constexpr int kTeam = 4;   // threads per query
constexpr int kThreads = kTile * kTeam;
constexpr int kKeys = kTile / kTeam;           // of a tile, per thread
constexpr int kColumns = kMaxHeadDim / kTeam;  // of O, per thread

__device__ void load(float* tile, const float* rows, int64_t left, int d) {
  for (int n = threadIdx.x; n < kTile * d; n += kThreads)
    tile[n / d * (d + 1) + n % d] = n / d < left ? rows[n] : 0.0f;
}

__device__ float team_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1, kTeam));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2, kTeam));
}

__device__ float team_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1, kTeam);
  return x + __shfl_xor_sync(0xffffffffu, x, 2, kTeam);
}

__global__ void team_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int d, int blocks_per_head, float softmax_scale) {
  extern __shared__ float smem[];
  float* Q_smem = smem;                      // [kTile, d + 1]
  float* K_smem = Q_smem + kTile * (d + 1);  // [kTile, d + 1]
  float* V_smem = K_smem + kTile * (d + 1);  // [kTile, d + 1]
  const int member = threadIdx.x % kTeam;
  const int r = threadIdx.x / kTeam;
  const int64_t head = blockIdx.x / blocks_per_head;
  const int64_t i0 = int64_t(blockIdx.x % blocks_per_head) * kTile;
  const bool warp_has_query = i0 + threadIdx.x / 32 * (32 / kTeam) < N_q;

  load(Q_smem, Q + (head * N_q + i0) * d, N_q - i0, d);
  float m = -INFINITY, l = 0.0f;  // l: of this thread's keys
  float o[kColumns] = {};
  for (int64_t j0 = 0; j0 < N_k; j0 += kTile) {
    __syncthreads();  // everybody is done with the previous tiles
    load(K_smem, K + (head * N_k + j0) * d, N_k - j0, d);
    load(V_smem, V + (head * N_k + j0) * d, N_k - j0, d);
    __syncthreads();  // everything is loaded
    if (!warp_has_query) continue;

    float s[kKeys];
    float tile_max = -INFINITY;
    for (int n = 0; n < kKeys; ++n) {
      const int c = n * kTeam + member;
      s[n] = 0.0f;
      for (int k = 0; k < d; ++k) s[n] += Q_smem[r * (d + 1) + k] * K_smem[c * (d + 1) + k];
      s[n] = j0 + c < N_k ? softmax_scale * s[n] : -INFINITY;
      tile_max = fmaxf(tile_max, s[n]);
    }
    const float m_new = fmaxf(m, team_max(tile_max));
    const float rescale = expf(m - m_new);
    m = m_new;
    l *= rescale;
    for (int k = 0; k < kColumns; ++k) o[k] *= rescale;
    for (int n = 0; n < kKeys; ++n) {
      const float p = expf(s[n] - m);
      l += p;
      for (int other = 0; other < kTeam; ++other) {
        const float p_c = __shfl_sync(0xffffffffu, p, other, kTeam);
        const float* v_row = V_smem + (n * kTeam + other) * (d + 1);
        for (int k = 0; k * kTeam + member < d; ++k) o[k] += p_c * v_row[k * kTeam + member];
      }
    }
  }
  l = team_sum(l);

  if (i0 + r >= N_q) return;
  const int64_t row = head * N_q + i0 + r;
  for (int k = 0; k * kTeam + member < d; ++k)
    O[row * d + k * kTeam + member] = l > 0.0f ? o[k] / l : 0.0f;
  if (member == 0 && LSE != nullptr) LSE[row] = m + logf(l);
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  const bool positive =
      shape.batch > 0 && shape.num_heads > 0 && shape.num_heads_kv > 0 && shape.head_dim > 0;
  if (!positive || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (!Q || !O)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (!K || !V)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads != shape.num_heads_kv) return cudaErrorNotSupported;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t blocks_per_head = (int64_t(shape.seq_len_q) + kTile - 1) / kTile;
  if (blocks_per_head > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (shape.seq_len_q == 0) return cudaSuccess;

  int device = 0, limit = 0;
  CUDA_RETURN_IF_ERROR(cudaGetDevice(&device));
  CUDA_RETURN_IF_ERROR(
      cudaDeviceGetAttribute(&limit, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  const size_t bytes = 2 * sizeof(float) * kTile * (shape.head_dim + 1);
  if (bytes > size_t(limit)) return cudaErrorInvalidValue;
  CUDA_RETURN_IF_ERROR(
      cudaFuncSetAttribute(team_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes)));
  team_kernel<<<unsigned(heads * blocks_per_head), kThreads, bytes, stream>>>(
      Q, K, V, O, LSE, shape.seq_len_q, shape.seq_len_k, shape.head_dim, int(blocks_per_head),
      softmax_scale);
  return cudaGetLastError();
}
