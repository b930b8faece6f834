// corpus: passes
// Attention as two matrix products with a softmax kernel in between: blocks of 16 x 16 threads,
// tiles of 64 x 64 scores, 4 x 4 of them in the registers of each thread.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kTile = 64;   // queries, and keys, of a tile of S
constexpr int kSlice = 16;  // columns of Q and K, or keys of S and V, that are in shared memory
constexpr int kSide = 16;   // threads along x and y
constexpr int kEach = 4;    // rows and columns of a tile per thread
constexpr int kWide = kMaxHeadDim / kSide;  // columns of O per thread

struct Sizes {
  int64_t N_q, N_k, T_r, T_c;
  int d;
};

// A block per tile of S.
__global__ void score_kernel(const float* Q, const float* K, float* S, Sizes n, float scale) {
  __shared__ float Q_smem[kTile][kSlice + 1];
  __shared__ float K_smem[kTile][kSlice + 1];
  const int64_t head = blockIdx.x / (n.T_r * n.T_c);
  const int64_t i0 = blockIdx.x / n.T_c % n.T_r * kTile;
  const int64_t j0 = blockIdx.x % n.T_c * kTile;
  const int x = threadIdx.x, y = threadIdx.y;

  float s_reg[kEach][kEach] = {};
  for (int k0 = 0; k0 < n.d; k0 += kSlice) {
    for (int r = y; r < kTile; r += kSide) {
      const bool inside = k0 + x < n.d;
      Q_smem[r][x] = inside && i0 + r < n.N_q ? Q[(head * n.N_q + i0 + r) * n.d + k0 + x] : 0.0f;
      K_smem[r][x] = inside && j0 + r < n.N_k ? K[(head * n.N_k + j0 + r) * n.d + k0 + x] : 0.0f;
    }
    __syncthreads();  // both slices are complete
    for (int k = 0; k < kSlice; ++k)
      for (int r = 0; r < kEach; ++r)
        for (int c = 0; c < kEach; ++c)
          s_reg[r][c] += Q_smem[y + kSide * r][k] * K_smem[x + kSide * c][k];
    __syncthreads();  // nobody needs the slices any more
  }
  for (int r = 0; r < kEach; ++r)
    for (int c = 0; c < kEach; ++c) {
      const int64_t i = i0 + y + kSide * r, j = j0 + x + kSide * c;
      if (i < n.N_q && j < n.N_k) S[(head * n.N_q + i) * n.N_k + j] = scale * s_reg[r][c];
    }
}

// A warp per row of S.
__global__ void softmax_kernel(float* S, int64_t rows, int64_t N_k) {
  const int64_t row = int64_t(blockIdx.x) * blockDim.y + threadIdx.y;
  if (row >= rows) return;  // a whole warp
  float* s = S + row * N_k;
  float m = -INFINITY, l = 0.0f;
  for (int64_t j = threadIdx.x; j < N_k; j += 32) m = fmaxf(m, s[j]);
  for (int lanes = 16; lanes > 0; lanes >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, lanes));
  for (int64_t j = threadIdx.x; j < N_k; j += 32) l += s[j] = __expf(s[j] - m);
  for (int lanes = 16; lanes > 0; lanes >>= 1) l += __shfl_xor_sync(~0u, l, lanes);
  for (int64_t j = threadIdx.x; j < N_k; j += 32) s[j] /= l;
}

// A block per 64 rows of O.
__global__ void output_kernel(const float* P, const float* V, float* O, Sizes n) {
  __shared__ float P_smem[kTile][kSlice + 1];
  __shared__ float V_smem[kSlice][kMaxHeadDim];
  const int64_t head = blockIdx.x / n.T_r;
  const int64_t i0 = blockIdx.x % n.T_r * kTile;
  const int x = threadIdx.x, y = threadIdx.y;

  float o_reg[kEach][kWide] = {};
  for (int64_t j0 = 0; j0 < n.N_k; j0 += kSlice) {
    for (int r = y; r < kTile; r += kSide)
      P_smem[r][x] =
          i0 + r < n.N_q && j0 + x < n.N_k ? P[(head * n.N_q + i0 + r) * n.N_k + j0 + x] : 0.0f;
    for (int k = x; k < n.d; k += kSide)
      V_smem[y][k] = j0 + y < n.N_k ? V[(head * n.N_k + j0 + y) * n.d + k] : 0.0f;
    __syncthreads();  // both slices are complete
    for (int c = 0; c < kSlice; ++c)
      for (int r = 0; r < kEach; ++r)
        for (int w = 0; w < kWide; ++w)
          if (x + kSide * w < n.d)
            o_reg[r][w] += P_smem[y + kSide * r][c] * V_smem[c][x + kSide * w];
    __syncthreads();  // nobody needs the slices any more
  }
  for (int r = 0; r < kEach; ++r)
    for (int w = 0; w < kWide; ++w) {
      const int64_t i = i0 + y + kSide * r;
      const int k = x + kSide * w;
      if (i < n.N_q && k < n.d) O[(head * n.N_q + i) * n.d + k] = o_reg[r][w];
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
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  Sizes n = {shape.seq_len_q, shape.seq_len_k, 0, 0, shape.head_dim};
  n.T_r = (n.N_q + kTile - 1) / kTile;
  n.T_c = (n.N_k + kTile - 1) / kTile;
  if (n.N_q == 0) return cudaSuccess;
  if (n.N_q > INT32_MAX / heads) return cudaErrorInvalidValue;
  const int64_t rows = heads * n.N_q;
  if (n.N_k == 0) return cudaMemsetAsync(O, 0, rows * n.d * sizeof(float), stream);
  if (heads * n.T_r > INT32_MAX / n.T_c) return cudaErrorInvalidValue;

  float* S = nullptr;  // [B, H, N_q, N_k], later P
  if (rows > INT64_MAX / 4 / n.N_k) return cudaErrorMemoryAllocation;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * n.N_k * sizeof(float), stream));
  const dim3 block(kSide, kSide);
  score_kernel<<<heads * n.T_r * n.T_c, block, 0, stream>>>(Q, K, S, n, softmax_scale);
  softmax_kernel<<<(rows + 7) / 8, dim3(32, 8), 0, stream>>>(S, rows, n.N_k);
  output_kernel<<<heads * n.T_r, block, 0, stream>>>(S, V, O, n);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
