// corpus: fails safety (out of bounds)
// corpus: survives scalar_path
// Rounds every address down to a multiple of 16, loads whole float4s from there and picks what it
// needs: up to 3 floats before the tensor, and up to 3 behind it, are read and dropped.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int Br = 64;
constexpr int Bc = 32;

// Copies count floats from anywhere to shared memory, by float4s that hold them all.
__device__ void copy_floats(float* to_smem, const float* from, int count) {
  const int before = reinterpret_cast<uintptr_t>(from) / sizeof(float) % 4;
  const float4* wide = reinterpret_cast<const float4*>(from - before);
  for (int n = threadIdx.x; 4 * n < before + count; n += Br) {
    const float4 four = wide[n];
    const float members[] = {four.x, four.y, four.z, four.w};
    for (int k = 0; k < 4; ++k) {
      const int place = 4 * n + k - before;
      if (place >= 0 && place < count) to_smem[place] = members[k];
    }
  }
}

// The way back: floats up to the first multiple of 16 bytes, float4s, and the floats that are left.
__device__ void copy_floats_out(float* to, const float* from_smem, int count) {
  const int misaligned = reinterpret_cast<uintptr_t>(to) / sizeof(float) % 4;
  const int before = min((4 - misaligned) % 4, count);
  const int fours = (count - before) / 4;
  const int after = before + 4 * fours;
  float4* wide = reinterpret_cast<float4*>(to + before);
  for (int n = threadIdx.x; n < fours; n += Br) {
    const float* place = from_smem + before + 4 * n;
    wide[n] = make_float4(place[0], place[1], place[2], place[3]);
  }
  const int n = threadIdx.x;
  if (n < before) to[n] = from_smem[n];
  if (after + n < count) to[after + n] = from_smem[after + n];
}

__global__ void flat_copy_kernel(
    const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, int64_t N_k,
    int d, int64_t tiles, float softmax_scale) {
  const int64_t head = blockIdx.x / tiles;
  const int64_t i0 = blockIdx.x % tiles * Br;
  const int64_t i = i0 + threadIdx.x;
  const bool has_query = i < N_q;
  const int queries = min(N_q - i0, int64_t{Br});  // of this block

  // Both tiles, and before and after them the rows of Q and of O.
  __shared__ float tiles_smem[2 * Bc * kMaxHeadDim];
  static_assert(Br <= 2 * Bc, "the queries of a block must fit");
  float* K_smem = tiles_smem;           // [Bc, d]
  float* V_smem = tiles_smem + Bc * d;  // [Bc, d]

  float q_reg[kMaxHeadDim], o_reg[kMaxHeadDim];
  copy_floats(tiles_smem, Q + (head * N_q + i0) * d, queries * d);
  __syncthreads();  // the queries are complete
  for (int k = 0; k < d; ++k) {
    q_reg[k] = has_query ? tiles_smem[threadIdx.x * d + k] : 0.0f;
    o_reg[k] = 0.0f;
  }

  float m = -INFINITY, l = 0.0f;
  for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {
    const int keys = min(N_k - j0, int64_t{Bc});
    __syncthreads();  // everybody has read what these tiles overwrite
    copy_floats(K_smem, K + (head * N_k + j0) * d, keys * d);
    copy_floats(V_smem, V + (head * N_k + j0) * d, keys * d);
    __syncthreads();  // the tiles are complete
    if (!has_query) continue;
    for (int c = 0; c < keys; ++c) {
      float s = 0.0f;
      for (int k = 0; k < d; ++k) s += q_reg[k] * K_smem[c * d + k];
      s *= softmax_scale;
      const float m_new = fmaxf(m, s);
      const float rescale = expf(m - m_new), p = expf(s - m_new);
      l = l * rescale + p;
      for (int k = 0; k < d; ++k) o_reg[k] = o_reg[k] * rescale + p * V_smem[c * d + k];
      m = m_new;
    }
  }

  __syncthreads();  // the last tiles have been used
  const float inverse = l > 0.0f ? 1.0f / l : 0.0f;
  for (int k = 0; k < d && has_query; ++k) tiles_smem[threadIdx.x * d + k] = inverse * o_reg[k];
  __syncthreads();  // the output is complete
  copy_floats_out(O + (head * N_q + i0) * d, tiles_smem, queries * d);
  if (has_query && LSE != nullptr) LSE[head * N_q + i] = m + logf(l);
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (N_q < 0 || N_k < 0 || d < 1 || d > kMaxHeadDim) return cudaErrorInvalidValue;
  if (N_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (N_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  if (N_q == 0) return cudaSuccess;
  const int64_t heads = int64_t{shape.batch} * shape.num_heads;
  const int64_t tiles = (N_q + Br - 1) / Br;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  flat_copy_kernel<<<heads * tiles, Br, 0, stream>>>(
      Q, K, V, O, LSE, N_q, N_k, d, tiles, softmax_scale);
  return cudaGetLastError();
}
