// corpus: passes
// Two kernels, made by a macro. Only K and V, which are nearly all of the traffic, are loaded as
// float4, through __ldg; a thread moves its rows of Q and O float by float, and only K and V have
// to be aligned for it.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int Br = 128;
constexpr int Bc = 32;

// The tiles are floats in shared memory, and only their loads differ between the two kernels.
__device__ void load_tile_by_float4(
    float (*tile_smem)[kMaxHeadDim], const float* rows, int count, int d) {
  const float4* fours = reinterpret_cast<const float4*>(rows);
  for (int n = threadIdx.x; n < count * d / 4; n += Br) {
    const float4 four = __ldg(&fours[n]);
    float* place = &tile_smem[4 * n / d][4 * n % d];
    place[0] = four.x, place[1] = four.y, place[2] = four.z, place[3] = four.w;
  }
}

__device__ void load_tile_by_float(
    float (*tile_smem)[kMaxHeadDim], const float* rows, int count, int d) {
  for (int n = threadIdx.x; n < count * d; n += Br) tile_smem[n / d][n % d] = __ldg(&rows[n]);
}

struct State {
  float q[kMaxHeadDim], o[kMaxHeadDim];
  float m, l;
};

__device__ void start(State& state, const float* q_row, int d) {
  for (int k = 0; k < d; ++k) state.q[k] = q_row[k], state.o[k] = 0.0f;
  state.m = -INFINITY, state.l = 0.0f;
}

__device__ void add_tile(
    State& state, const float (*K_smem)[kMaxHeadDim], const float (*V_smem)[kMaxHeadDim], int count,
    int d, float softmax_scale) {
  for (int c = 0; c < count; ++c) {
    float s = 0.0f;
    for (int k = 0; k < d; ++k) s = fmaf(state.q[k], K_smem[c][k], s);
    s *= softmax_scale;
    const float m_new = fmaxf(state.m, s);
    const float rescale = expf(state.m - m_new), p = expf(s - m_new);
    for (int k = 0; k < d; ++k) state.o[k] = fmaf(p, V_smem[c][k], rescale * state.o[k]);
    state.l = fmaf(state.l, rescale, p);
    state.m = m_new;
  }
}

__device__ void finish(const State& state, float* o_row, float* lse, int d) {
  for (int k = 0; k < d; ++k) o_row[k] = state.l > 0.0f ? state.o[k] / state.l : 0.0f;
  if (lse != nullptr) *lse = state.m + logf(state.l);
}

#define ATTENTION_KERNEL(name, load_tile)                                                \
  __global__ void name(                                                                  \
      const float* Q, const float* K, const float* V, float* O, float* LSE, int64_t N_q, \
      int64_t N_k, int d, int64_t tiles, float softmax_scale) {                          \
    __shared__ float K_smem[Bc][kMaxHeadDim], V_smem[Bc][kMaxHeadDim];                   \
    const int64_t head = blockIdx.x / tiles;                                             \
    const int64_t i = blockIdx.x % tiles * Br + threadIdx.x;                             \
    const int64_t row = head * N_q + i;                                                  \
    State state;                                                                         \
    if (i < N_q) start(state, Q + row * d, d);                                           \
    for (int64_t j0 = 0; j0 < N_k; j0 += Bc) {                                           \
      const int count = min(N_k - j0, int64_t{Bc});                                      \
      load_tile(K_smem, K + (head * N_k + j0) * d, count, d);                            \
      load_tile(V_smem, V + (head * N_k + j0) * d, count, d);                            \
      __syncthreads(); /* the tiles are complete */                                      \
      if (i < N_q) add_tile(state, K_smem, V_smem, count, d, softmax_scale);             \
      __syncthreads(); /* all are done with them */                                      \
    }                                                                                    \
    if (i < N_q) finish(state, O + row * d, LSE == nullptr ? nullptr : LSE + row, d);    \
  }

ATTENTION_KERNEL(kernel_by_float4, load_tile_by_float4)
ATTENTION_KERNEL(kernel_by_float, load_tile_by_float)
#undef ATTENTION_KERNEL

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
  const uintptr_t bits = reinterpret_cast<uintptr_t>(K) | reinterpret_cast<uintptr_t>(V);
  if (d % 4 == 0 && bits % 16 == 0)
    kernel_by_float4<<<heads * tiles, Br, 0, stream>>>(
        Q, K, V, O, LSE, N_q, N_k, d, tiles, softmax_scale);
  else
    kernel_by_float<<<heads * tiles, Br, 0, stream>>>(
        Q, K, V, O, LSE, N_q, N_k, d, tiles, softmax_scale);
  return cudaGetLastError();
}
