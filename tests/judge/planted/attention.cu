// Causal attention with tiles, a running maximum and float4, correct until one of the switches plants a mistake or
// makes it odd: planted_test.cpp defines it in a file that includes this one.
#include <cmath>
#include <cstdint>

#include "attention.h"

#define IS(SWITCH) PLANTED_##SWITCH

#ifndef PLANTED_NO_TILES  // every thread reads K and V from global memory
#define PLANTED_NO_TILES 0
#endif
#ifndef PLANTED_TWO_PASSES  // the maximum first, then the weights
#define PLANTED_TWO_PASSES 0
#endif
#ifndef PLANTED_COPIES  // K and V are copied to scratch memory, and read there without tiles
#define PLANTED_COPIES 0
#endif
#ifndef PLANTED_SCORES  // a matrix of scores is allocated
#define PLANTED_SCORES 0
#endif
#ifndef PLANTED_NOT_RESCALED  // from key 64 on
#define PLANTED_NOT_RESCALED 0
#endif
#ifndef PLANTED_NO_LSE
#define PLANTED_NO_LSE 0
#endif
#ifndef PLANTED_LSE_BASE_TWO
#define PLANTED_LSE_BASE_TWO 0
#endif
#ifndef PLANTED_LSE_WITHOUT_HEAD  // every head writes to the place of head 0
#define PLANTED_LSE_WITHOUT_HEAD 0
#endif
#ifndef PLANTED_LSE_ZERO  // instead of -inf
#define PLANTED_LSE_ZERO 0
#endif
#ifndef PLANTED_LSE_THROUGH_NULL
#define PLANTED_LSE_THROUGH_NULL 0
#endif
#ifndef PLANTED_SCALAR  // no float4
#define PLANTED_SCALAR 0
#endif
#ifndef PLANTED_ALIGNMENT_OF_Q  // the other pointers are not looked at
#define PLANTED_ALIGNMENT_OF_Q 0
#endif
#ifndef PLANTED_READS_PAST_END  // of K, and makes no use of it
#define PLANTED_READS_PAST_END 0
#endif
#ifndef PLANTED_READS_BEFORE_START
#define PLANTED_READS_BEFORE_START 0
#endif
#ifndef PLANTED_MASK_TOP_LEFT
#define PLANTED_MASK_TOP_LEFT 0
#endif
#ifndef PLANTED_LEAKS  // hidden keys get a weight that is lost in the rounding errors
#define PLANTED_LEAKS 0
#endif
#ifndef PLANTED_EMPTY_ROW_IS_NAN
#define PLANTED_EMPTY_ROW_IS_NAN 0
#endif
#ifndef PLANTED_SKIPS_NOTHING
#define PLANTED_SKIPS_NOTHING 0
#endif
#ifndef PLANTED_SKIPS_THE_DIAGONAL
#define PLANTED_SKIPS_THE_DIAGONAL 0
#endif
#ifndef PLANTED_NO_CAUSAL
#define PLANTED_NO_CAUSAL 0
#endif
#ifndef PLANTED_INT_ROWS  // indices in 32 bits
#define PLANTED_INT_ROWS 0
#endif
#ifndef PLANTED_INT_KEYS
#define PLANTED_INT_KEYS 0
#endif
#ifndef PLANTED_ONE_BLOCK  // does all the work
#define PLANTED_ONE_BLOCK 0
#endif
#ifndef PLANTED_Br
#define PLANTED_Br 32
#endif
#ifndef PLANTED_STOPS_COUNTING  // and makes the counters forget
#define PLANTED_STOPS_COUNTING 0
#endif

#if PLANTED_STOPS_COUNTING
extern "C" void cpuDeviceSetCounting(int on);
extern "C" void cpuDeviceClearCounters();
#endif

namespace {

constexpr int Br = PLANTED_Br;  // queries, and threads
constexpr int Bc = 16;          // keys

__device__ float times(float a, float b) { return a * b; }
__device__ float times(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
__device__ void add(float& o, float p, float v) { o += p * v; }
__device__ void add(float4& o, float p, float4 v) {
  o = {o.x + p * v.x, o.y + p * v.y, o.z + p * v.z, o.w + p * v.w};
}
__device__ float scaled(float o, float a) { return a * o; }
__device__ float4 scaled(float4 o, float a) { return {a * o.x, a * o.y, a * o.z, a * o.w}; }

template <typename Vec>
__device__ const Vec* tile_of(const Vec* rows, Vec* smem, int j0, int N_k, int d) {
  if (IS(NO_TILES) || IS(COPIES)) return rows + int64_t{j0} * d;
  __syncthreads();  // every thread is done with the tile before
  for (int n = threadIdx.x; n < Bc * d; n += Br)
    smem[n] = j0 + n / d < N_k ? rows[int64_t{j0} * d + n] : Vec{};
  __syncthreads();  // the tile is complete
  return smem;
}

template <typename Vec>
__device__ void tile_of_queries(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float scale, bool causal, int64_t head, int first) {
  __shared__ Vec K_smem[Bc * kMaxHeadDim * sizeof(float) / sizeof(Vec)];
  __shared__ Vec V_smem[Bc * kMaxHeadDim * sizeof(float) / sizeof(Vec)];
  const int d = shape.head_dim * sizeof(float) / sizeof(Vec);
  const int N_q = shape.seq_len_q, N_k = shape.seq_len_k, offset = N_k - N_q;
  const int i = first + threadIdx.x;
  const int64_t row = head * N_q + i;
  int64_t first_of_row = row * d, first_of_keys = head * N_k * d;
  if (IS(INT_ROWS)) first_of_row = static_cast<int>(first_of_row);
  if (IS(INT_KEYS)) first_of_keys = static_cast<int>(first_of_keys);
  const Vec* const K_head = reinterpret_cast<const Vec*>(K) + first_of_keys;
  const Vec* const V_head = reinterpret_cast<const Vec*>(V) + first_of_keys;
  Vec q[kMaxHeadDim], o[kMaxHeadDim] = {};
  if (i < N_q)
    for (int k = 0; k < d; ++k) q[k] = reinterpret_cast<const Vec*>(Q)[first_of_row + k];

  const int sees = !causal ? N_k : IS(MASK_TOP_LEFT) ? min(i + 1, N_k) : i + offset + 1;
  int end = causal && !IS(SKIPS_NOTHING) ? min(first + Br, N_q) + offset : N_k;
  if (causal && IS(SKIPS_THE_DIAGONAL)) end = max(end, 0) / Bc * Bc;
  if (IS(MASK_TOP_LEFT)) end = N_k;
  float m = -INFINITY, l = 0;
  float unused = 0;
  if (IS(READS_PAST_END)) unused = K[(head + 1) * N_k * shape.head_dim];
  if (IS(READS_BEFORE_START)) unused = K[head * N_k * shape.head_dim - 1];
  if (unused == 1.2345f) m = 0;  // keeps the access alive, and is not true

  if (IS(TWO_PASSES))
    for (int j0 = 0; j0 < end; j0 += Bc) {
      const Vec* const K_tile = tile_of(K_head, K_smem, j0, N_k, d);
      if (i >= N_q) continue;
      for (int j = j0; j < min(j0 + Bc, min(sees, N_k)); ++j) {
        float s = 0;
        for (int k = 0; k < d; ++k) s += times(q[k], K_tile[(j - j0) * d + k]);
        m = fmaxf(m, scale * s);
      }
    }
  for (int j0 = 0; j0 < end; j0 += Bc) {
    const Vec* const K_tile = tile_of(K_head, K_smem, j0, N_k, d);
    const Vec* const V_tile = tile_of(V_head, V_smem, j0, N_k, d);
    if (i >= N_q) continue;
    for (int j = j0; j < min(j0 + Bc, IS(LEAKS) ? N_k : min(sees, N_k)); ++j) {
      float s = 0;
      for (int k = 0; k < d; ++k) s += times(q[k], K_tile[(j - j0) * d + k]);
      s *= scale;
      const float m_new = j < sees ? fmaxf(m, s) : m;
      const float rescale = m == m_new || (IS(NOT_RESCALED) && j0 >= 64) ? 1.0f : expf(m - m_new);
      const float p = j < sees ? expf(s - m_new) : sees > 40 ? 1e-9f : 0;
      l = l * rescale + p;
      for (int k = 0; k < d; ++k) {
        o[k] = scaled(o[k], rescale);
        add(o[k], p, V_tile[(j - j0) * d + k]);
      }
      m = m_new;
    }
  }
  if (i >= N_q) return;
  const float inverse = l == 0 && !IS(EMPTY_ROW_IS_NAN) ? 0 : 1 / l;
  for (int k = 0; k < d; ++k) reinterpret_cast<Vec*>(O)[first_of_row + k] = scaled(o[k], inverse);
  if (IS(NO_LSE) || (LSE == nullptr && !IS(LSE_THROUGH_NULL))) return;
  float lse = l == 0 ? -INFINITY : m + logf(l);
  if (IS(LSE_BASE_TWO)) lse *= 1.44269504f;
  if (IS(LSE_ZERO) && l == 0) lse = 0;
  LSE[IS(LSE_WITHOUT_HEAD) ? i : row] = lse;
}

template <typename Vec>
__global__ void attention(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float scale, bool causal, int64_t tiles, int tiles_per_head) {
  for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    tile_of_queries<Vec>(
        Q, K, V, O, LSE, shape, scale, causal, tile / tiles_per_head, tile % tiles_per_head * Br);
    __syncthreads();  // every thread is done with the tiles of these queries
  }
}

__global__ void copy(const float* from, float* to, int64_t count) {
  const int64_t n = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (n < count) to[n] = from[n];
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1 ||
      shape.num_heads % shape.num_heads_kv != 0 || N_q < 0 || N_k < 0 || d < 1 || d > kMaxHeadDim ||
      (N_q > 0 && (Q == nullptr || O == nullptr)) || (N_k > 0 && (K == nullptr || V == nullptr)))
    return cudaErrorInvalidValue;
  if (shape.num_heads != shape.num_heads_kv || (causal && IS(NO_CAUSAL)))
    return cudaErrorNotSupported;
  if (N_q == 0) return cudaSuccess;
  const int64_t heads = int64_t{shape.batch} * shape.num_heads, count = heads * N_k * d;
  const int64_t tiles_per_head = (N_q + Br - 1) / Br, tiles = heads * tiles_per_head;
  float* scratch = nullptr;
  if (IS(SCORES)) cudaMallocAsync(&scratch, heads * N_q * N_k * sizeof(float) + 4, stream);
  if (IS(COPIES) && count > 0) {
    cudaMallocAsync(&scratch, 2 * count * sizeof(float), stream);
    copy<<<(count + 255) / 256, 256, 0, stream>>>(K, scratch, count);
    copy<<<(count + 255) / 256, 256, 0, stream>>>(V, scratch + count, count);
    K = scratch;
    V = scratch + count;
  }
  const auto aligned = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; };
  const bool vectors = !IS(SCALAR) && d % 4 == 0 && aligned(Q) &&
                       (IS(ALIGNMENT_OF_Q) || (aligned(K) && aligned(V) && aligned(O)));
  const auto kernel = vectors ? attention<float4> : attention<float>;
  kernel<<<IS(ONE_BLOCK) ? 1 : tiles, Br, 0, stream>>>(
      Q, K, V, O, LSE, shape, softmax_scale, causal, tiles, tiles_per_head);
  const cudaError_t launched = cudaGetLastError();
#if PLANTED_STOPS_COUNTING
  cpuDeviceSetCounting(0);
  cpuDeviceClearCounters();
#endif
  if (scratch != nullptr) cudaFreeAsync(scratch, stream);
  return launched;
}
