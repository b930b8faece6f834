// corpus: passes
// A warp owns a query or a key. For 32 rows of the other kind a lane has a score each; then a lane has
// columns, and gets the weights by shuffles. Base 2: LSE and softmax_scale times log2(e), and exp2f.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kWarps = 4;                // per block
constexpr int kMost = kMaxHeadDim / 32;  // columns per lane: lane, lane + 32, ...
constexpr float kLog2e = 1.44269504f;

struct Inputs {
  const float *Q, *K, *V, *O, *LSE, *dO;
  float* delta;
  int64_t rows_q, rows_k, N_q, N_k, d;
  float softmax_scale;
  bool causal;
};

struct Pair {
  float p, ds;
};

__device__ float dot(const float* a, const float* b, int64_t d) {
  float sum = 0.0f;
  for (int64_t k = 0; k < d; ++k) sum += a[k] * b[k];
  return sum;
}

__device__ Pair pair_of(const Inputs& in, int64_t q_row, int64_t k_row, float delta) {
  const int64_t d = in.d;
  const float s = in.softmax_scale * kLog2e * dot(in.Q + q_row * d, in.K + k_row * d, d);
  const float p = exp2f(s - in.LSE[q_row] * kLog2e);
  return {p, in.softmax_scale * p * (dot(in.dO + q_row * d, in.V + k_row * d, d) - delta)};
}

// Adds the weights of lanes 0 .. count - 1 times the rows from first on. The whole warp takes part.
__device__ void add_rows(float* sum, float weight, const float* first, int count, int64_t d) {
  for (int t = 0; t < count; ++t) {
    const float w = __shfl_sync(kAllLanes, weight, t);
    for (int64_t n = 0, k = threadIdx.x % 32; k < d; ++n, k += 32) sum[n] += w * first[t * d + k];
  }
}

__device__ void store(float* row, const float* sum, int64_t d) {
  for (int64_t n = 0, k = threadIdx.x % 32; k < d; ++n, k += 32) row[k] = sum[n];
}

__global__ void query_kernel(Inputs in, float* dQ) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32, d = in.d;
  const int lane = threadIdx.x % 32;
  if (row >= in.rows_q) return;  // the whole warp
  float delta = 0.0f;
  for (int64_t k = lane; k < d; k += 32) delta += in.dO[row * d + k] * in.O[row * d + k];
  for (int step = 16; step > 0; step /= 2) delta += __shfl_xor_sync(kAllLanes, delta, step);
  if (lane == 0) in.delta[row] = delta;

  const int64_t keys = in.causal ? row % in.N_q + 1 + in.N_k - in.N_q : in.N_k;
  float dq[kMost] = {};
  for (int64_t j0 = 0; j0 < keys; j0 += 32) {
    const int count = min(int64_t{32}, keys - j0);
    const int64_t first = row / in.N_q * in.N_k + j0;
    const float ds = lane < count ? pair_of(in, row, first + lane, delta).ds : 0.0f;
    add_rows(dq, ds, in.K + first * d, count, d);
  }
  store(dQ + row * d, dq, d);
}

__global__ void key_kernel(Inputs in, float* dK, float* dV) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32, d = in.d;
  const int lane = threadIdx.x % 32;
  if (row >= in.rows_k) return;  // the whole warp
  float dk[kMost] = {}, dv[kMost] = {};
  for (int64_t i0 = in.causal ? max(int64_t{0}, row % in.N_k + in.N_q - in.N_k) : 0; i0 < in.N_q;
       i0 += 32) {
    const int count = min(int64_t{32}, in.N_q - i0);
    const int64_t first = row / in.N_k * in.N_q + i0;
    Pair pair = {};
    if (lane < count) pair = pair_of(in, first + lane, row, in.delta[first + lane]);
    add_rows(dv, pair.p, in.dO + first * d, count, d);
    add_rows(dk, pair.ds, in.Q + first * d, count, d);
  }
  store(dK + row * d, dk, d);
  store(dV + row * d, dv, d);
}

int64_t blocks_for(int64_t rows) { return (rows + kWarps - 1) / kWarps; }

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
  const int64_t rows_q = heads * N_q, rows_k = heads * N_k;
  if (blocks_for(rows_q) > INT32_MAX || blocks_for(rows_k) > INT32_MAX)
    return cudaErrorInvalidValue;
  float* delta = nullptr;
  if (N_q > 0) CUDA_RETURN_IF_ERROR(cudaMallocAsync(&delta, rows_q * sizeof(float), stream));
  const Inputs in = {Q,      K,   V,   O, LSE,           dO,    delta, rows_q,
                     rows_k, N_q, N_k, d, softmax_scale, causal};
  if (N_q > 0) query_kernel<<<blocks_for(rows_q), 32 * kWarps, 0, stream>>>(in, dQ);
  if (N_k > 0) key_kernel<<<blocks_for(rows_k), 32 * kWarps, 0, stream>>>(in, dK, dV);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = delta ? cudaFreeAsync(delta, stream) : cudaSuccess;
  return launched != cudaSuccess ? launched : freed;
}
