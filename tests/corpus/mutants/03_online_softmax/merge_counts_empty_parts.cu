// corpus: fails lse (not finite)
// corpus: survives contract
// A part without keys has the maximum -infinity, and so has a query without keys: their difference
// is NaN. O is 0 all the same, as NaN > 0 is false.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kThreads = 64;  // queries per block
constexpr int Bc = 32;        // keys per tile
constexpr int kMostParts = 4;

__global__ void part_kernel(
    const float* Q,  // [B, H, N_q, d]
    const float* K,  // [B, H, N_k, d]
    const float* V,  // [B, H, N_k, d]
    float* O_part,   // [parts, B, H, N_q, d]
    float* m_part,   // [parts, B, H, N_q]
    float* l_part,   // [parts, B, H, N_q]
    int64_t rows, int64_t N_q, int64_t N_k, int d, int tiles, int parts, float softmax_scale) {
  __shared__ float K_smem[Bc * kMaxHeadDim];
  __shared__ float V_smem[Bc * kMaxHeadDim];
  const int part = blockIdx.x % parts;
  const int64_t head = blockIdx.x / parts / tiles;
  const int64_t i = int64_t(blockIdx.x / parts % tiles) * kThreads + threadIdx.x;
  const int64_t row = head * N_q + i;
  const int64_t share = (N_k + parts - 1) / parts;
  const int64_t begin = part * share < N_k ? part * share : N_k;
  const int64_t end = begin + share < N_k ? begin + share : N_k;

  float o[kMaxHeadDim] = {};
  float m = -INFINITY, l = 0.0f;
  for (int64_t j0 = begin; j0 < end; j0 += Bc) {
    const int keys = end - j0 < Bc ? int(end - j0) : Bc;
    for (int n = threadIdx.x; n < keys * d; n += kThreads) {
      K_smem[n] = K[(head * N_k + j0) * d + n];
      V_smem[n] = V[(head * N_k + j0) * d + n];
    }
    __syncthreads();  // the tiles are complete
    for (int c = 0; i < N_q && c < keys; ++c) {
      float s = 0.0f;
      for (int k = 0; k < d; ++k) s += Q[row * d + k] * K_smem[c * d + k];
      s *= softmax_scale;
      const float m_new = fmaxf(m, s);
      const float rescale = expf(m - m_new), p = expf(s - m_new);
      l = l * rescale + p;
      for (int k = 0; k < d; ++k) o[k] = o[k] * rescale + p * V_smem[c * d + k];
      m = m_new;
    }
    __syncthreads();  // nobody needs the tiles any more
  }
  if (i >= N_q) return;
  m_part[part * rows + row] = m;
  l_part[part * rows + row] = l;
  for (int k = 0; k < d; ++k) O_part[(part * rows + row) * d + k] = o[k];
}

// A thread per element of O.
__global__ void merge_kernel(
    const float* O_part, const float* m_part, const float* l_part, float* O, float* LSE,
    int64_t rows, int d, int parts) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t e = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; e < rows * d; e += stride) {
    const int64_t row = e / d;
    float m = -INFINITY, l = 0.0f, o = 0.0f;
    for (int part = 0; part < parts; ++part) m = fmaxf(m, m_part[part * rows + row]);
    for (int part = 0; part < parts; ++part) {
      const float weight = expf(m_part[part * rows + row] - m);
      l += weight * l_part[part * rows + row];
      o += weight * O_part[(part * rows + row) * d + e % d];
    }
    O[e] = l > 0.0f ? o / l : 0.0f;
    if (e % d == 0 && LSE != nullptr) LSE[row] = m + logf(l);
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
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t tiles = (N_q + kThreads - 1) / kThreads;
  const int64_t parts = std::clamp<int64_t>(N_k / (2 * Bc), 1, kMostParts);
  if (tiles * parts > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  const int64_t rows = heads * N_q;

  float* scratch = nullptr;  // O_part, m_part, l_part
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&scratch, parts * rows * (d + 2) * sizeof(float), stream));
  float* m_part = scratch + parts * rows * d;
  float* l_part = m_part + parts * rows;
  part_kernel<<<heads * tiles * parts, kThreads, 0, stream>>>(
      Q, K, V, scratch, m_part, l_part, rows, N_q, N_k, d, tiles, parts, softmax_scale);
  const unsigned merge_blocks = std::min<int64_t>((rows * d + 127) / 128, 4096);
  merge_kernel<<<merge_blocks, 128, 0, stream>>>(scratch, m_part, l_part, O, LSE, rows, d, parts);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(scratch, stream);
  return launched != cudaSuccess ? launched : freed;
}
