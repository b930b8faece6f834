// corpus: fails large_index (out of bounds)
// corpus: survives batch_and_heads
// corpus: on a GPU fails large_index (wrong values | out of bounds)
// Where a head begins in K and V is computed in 32 bits.
#include <cmath>
#include <cstdint>
#include <initializer_list>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kThreads = 64;  // rows per block: queries, or keys
constexpr int kTile = 32;     // rows per tile of the other kind

// What all kernels read. Sizes are 64-bit, because their products pass 2^31.
struct Inputs {
  const float *Q, *O, *dO;   // [B, H, N_q, d]
  const float *K, *V;        // [B, H, N_k, d]
  const float *LSE, *delta;  // [B, H, N_q]
  int64_t rows, N_q, N_k;    // B * H * N_q; queries and keys of a head
  int64_t head_dim;          // in floats
  float softmax_scale;
  bool causal;
};

// Vec is float or float4, as in lesson 04. Here: s plus the dot product of a and b.
__device__ float add_dot(float s, float a, float b) { return s + a * b; }
__device__ float add_dot(float s, float4 a, float4 b) {
  return s + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}
[[maybe_unused]] __device__ float4 operator*(float s, float4 a) {
  return {s * a.x, s * a.y, s * a.z, s * a.w};
}
[[maybe_unused]] __device__ void operator+=(float4& a, float4 b) {
  a = {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w};
}

// Copies kTile rows, from row n0 on, of rows [N, d] to tile_smem [kTile, d]; a row past the end
// becomes zeros. The whole block takes part.
template <typename Vec>
__device__ void load_tile(Vec* tile_smem, const Vec* rows, int64_t n0, int64_t N, int64_t d) {
  for (int64_t n = threadIdx.x; n < kTile * d; n += kThreads)
    tile_smem[n] = n0 * d + n < N * d ? rows[n0 * d + n] : Vec{};
}

// D_i of one query.
template <typename Vec>
__device__ float row_delta(const Vec* dO_row, const Vec* O_row, int64_t d) {
  float delta = 0.0f;
  for (int64_t k = 0; k < d; ++k) delta = add_dot(delta, dO_row[k], O_row[k]);
  return delta;
}

// One thread's row x, y against the rows X, Y of a tile: a query against keys, or a key against
// queries. The pair counts if begin <= t < end; its LSE is LSE[t * step], its D delta[t * step].
template <typename Vec>
__device__ void fold_tile(
    const Vec* x_reg, const Vec* y_reg,    // [d]
    const Vec* X_smem, const Vec* Y_smem,  // [kTile, d]
    const float* LSE, const float* delta, int step, int64_t begin, int64_t end, float softmax_scale,
    int64_t d,                     // in Vecs
    float* dp_reg, float* ds_reg,  // [kTile], this tile's part of a row or column of dP and dS
    Vec* dx_reg, Vec* dv_reg) {    // [d], sums over all tiles; dv_reg is null for a query
  float s_reg[kTile] = {}, p_reg[kTile] = {};  // [kTile]; s is not scaled
  for (int t = 0; t < kTile; ++t) dp_reg[t] = ds_reg[t] = 0.0f;
  for (int64_t k = 0; k < d; ++k)
    for (int t = 0; t < kTile; ++t) s_reg[t] = add_dot(s_reg[t], x_reg[k], X_smem[t * d + k]);

  for (int t = 0; t < kTile; ++t)
    p_reg[t] = begin <= t && t < end ? expf(softmax_scale * s_reg[t] - LSE[t * step]) : 0.0f;
  if (dv_reg != nullptr) {
    for (int64_t k = 0; k < d; ++k)
      for (int t = 0; t < kTile; ++t) dv_reg[k] += p_reg[t] * Y_smem[t * d + k];
  }

  for (int64_t k = 0; k < d; ++k)
    for (int t = 0; t < kTile; ++t) dp_reg[t] = add_dot(dp_reg[t], y_reg[k], Y_smem[t * d + k]);
  for (int t = 0; t < kTile; ++t) ds_reg[t] = p_reg[t] * (dp_reg[t] - delta[t * step]);

  float w_reg[kTile];  // [kTile]
  for (int t = 0; t < kTile; ++t) w_reg[t] = softmax_scale * ds_reg[t];
  for (int64_t k = 0; k < d; ++k)
    for (int t = 0; t < kTile; ++t) dx_reg[k] += w_reg[t] * X_smem[t * d + k];
}

// A thread owns one of all B * H * N_q queries.
template <typename Vec>
__global__ void delta_kernel(Inputs in, float* delta) {  // [B, H, N_q]
  const int64_t d = in.head_dim / (sizeof(Vec) / sizeof(float));
  const int64_t row = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const Vec* O_row = reinterpret_cast<const Vec*>(in.O) + row * d;    // [d]
  const Vec* dO_row = reinterpret_cast<const Vec*>(in.dO) + row * d;  // [d]
  if (row < in.rows) delta[row] = row_delta(dO_row, O_row, d);
}

// A thread owns key j, and goes over the queries that see it.
template <typename Vec>
__global__ void key_gradients_kernel(
    Inputs in, float* dK, float* dV,  // [B, H, N_k, d]
    int blocks_per_head) {            // ceil(N_k / kThreads)
  constexpr int kWidth = sizeof(Vec) / sizeof(float);
  constexpr int kRow = kMaxHeadDim / kWidth;  // the most Vecs in a row
  const int64_t N_q = in.N_q, N_k = in.N_k, d = in.head_dim / kWidth;
  const int64_t head = blockIdx.x / blocks_per_head;  // b * H + h, counted over all batches
  const int64_t tile = blockIdx.x % blocks_per_head;  // which 64 keys of that head
  const int64_t j = tile * kThreads + threadIdx.x;
  const int64_t row = head * N_k + j;
  const bool has_key = j < N_k;  // the others help to load tiles, and compute nothing

  const Vec* Q_head = reinterpret_cast<const Vec*>(in.Q) + head * N_q * d;    // [N_q, d]
  const Vec* dO_head = reinterpret_cast<const Vec*>(in.dO) + head * N_q * d;  // [N_q, d]
  const Vec* k_row = reinterpret_cast<const Vec*>(in.K) + row * d;            // [d]
  const Vec* v_row = reinterpret_cast<const Vec*>(in.V) + row * d;            // [d]
  Vec* dk_row = reinterpret_cast<Vec*>(dK) + row * d;                         // [d]
  Vec* dv_row = reinterpret_cast<Vec*>(dV) + row * d;                         // [d]

  __shared__ Vec Q_smem[kTile * kRow], dO_smem[kTile * kRow];  // [kTile, d]
  __shared__ float LSE_smem[kTile], delta_smem[kTile];
  Vec k_reg[kRow], v_reg[kRow];              // [d]
  Vec dk_reg[kRow] = {}, dv_reg[kRow] = {};  // [d]
  for (int64_t k = 0; k < d; ++k) k_reg[k] = has_key ? k_row[k] : Vec{};
  for (int64_t k = 0; k < d; ++k) v_reg[k] = has_key ? v_row[k] : Vec{};

  // Query i sees key j if i >= j + N_q - N_k. Of the block's keys the first one is seen first.
  const int64_t first = in.causal ? max(j + N_q - N_k, int64_t{0}) : 0;
  const int64_t block_first = in.causal ? max(tile * kThreads + N_q - N_k, int64_t{0}) : 0;
  for (int64_t i0 = block_first; i0 < N_q; i0 += kTile) {
    __syncthreads();  // every thread is done with the previous tiles before these overwrite them
    load_tile(Q_smem, Q_head, i0, N_q, d);
    load_tile(dO_smem, dO_head, i0, N_q, d);
    load_tile(LSE_smem, in.LSE + head * N_q, i0, N_q, 1);
    load_tile(delta_smem, in.delta + head * N_q, i0, N_q, 1);
    __syncthreads();         // the tiles are complete before any thread reads them
    if (!has_key) continue;  // not return: the next barriers wait for every thread of the block

    float dp_reg[kTile], ds_reg[kTile];
    fold_tile(
        k_reg, v_reg, Q_smem, dO_smem, LSE_smem, delta_smem, 1, first - i0, N_q - i0,
        in.softmax_scale, d, dp_reg, ds_reg, dk_reg, dv_reg);
  }
  if (!has_key) return;  // no barrier follows
  for (int64_t k = 0; k < d; ++k) dk_row[k] = dk_reg[k];
  for (int64_t k = 0; k < d; ++k) dv_row[k] = dv_reg[k];
}

// A thread owns query i, and goes over the keys that it sees.
template <typename Vec>
__global__ void query_gradients_kernel(
    Inputs in,
    float* dQ,  // [B, H, N_q, d]
    int blocks_per_head) {
  constexpr int kWidth = sizeof(Vec) / sizeof(float);
  constexpr int kRow = kMaxHeadDim / kWidth;
  const int64_t N_q = in.N_q, N_k = in.N_k, d = in.head_dim / kWidth;
  const int64_t head = blockIdx.x / blocks_per_head;
  const int64_t tile = blockIdx.x % blocks_per_head;
  const int64_t i = tile * kThreads + threadIdx.x;
  const int64_t row = head * N_q + i;
  const bool has_query = i < N_q;

  const int offset = head * N_k * in.head_dim;                        // in floats
  const Vec* K_head = reinterpret_cast<const Vec*>(in.K + offset);    // [N_k, d]
  const Vec* V_head = reinterpret_cast<const Vec*>(in.V + offset);    // [N_k, d]
  const Vec* q_row = reinterpret_cast<const Vec*>(in.Q) + row * d;    // [d]
  const Vec* dO_row = reinterpret_cast<const Vec*>(in.dO) + row * d;  // [d]
  Vec* dq_row = reinterpret_cast<Vec*>(dQ) + row * d;                 // [d]

  __shared__ Vec K_smem[kTile * kRow], V_smem[kTile * kRow];  // [kTile, d]
  const float LSE_i = has_query ? in.LSE[row] : 0.0f;
  const float delta_i = has_query ? in.delta[row] : 0.0f;
  Vec q_reg[kRow], dO_reg[kRow];  // [d]
  Vec dq_reg[kRow] = {};          // [d]
  for (int64_t k = 0; k < d; ++k) q_reg[k] = has_query ? q_row[k] : Vec{};
  for (int64_t k = 0; k < d; ++k) dO_reg[k] = has_query ? dO_row[k] : Vec{};

  // As in lesson 05: how far query i sees, and how far the block.
  const int64_t keys = in.causal ? i + 1 + N_k - N_q : N_k;
  const int64_t block_keys = in.causal ? min((tile + 1) * kThreads, N_q) + N_k - N_q : N_k;
  for (int64_t j0 = 0; j0 < block_keys; j0 += kTile) {
    __syncthreads();  // every thread is done with the previous tiles before these overwrite them
    load_tile(K_smem, K_head, j0, N_k, d);
    load_tile(V_smem, V_head, j0, N_k, d);
    __syncthreads();  // the tiles are complete before any thread reads them
    if (!has_query) continue;

    float dp_reg[kTile], ds_reg[kTile];
    fold_tile<Vec>(
        q_reg, dO_reg, K_smem, V_smem, &LSE_i, &delta_i, 0, 0, keys - j0, in.softmax_scale, d,
        dp_reg, ds_reg, dq_reg, nullptr);
  }
  if (!has_query) return;  // no barrier follows
  for (int64_t k = 0; k < d; ++k) dq_row[k] = dq_reg[k];
}

int64_t blocks_for(int64_t rows) { return (rows + kThreads - 1) / kThreads; }

// What both launchers refuse: what no lesson accepts, then what this lesson does not have yet.
cudaError_t validate(AttentionShape shape) {
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.head_dim < 1 || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;

  // gridDim.x ends at 2^31 - 1. Written as a division, because the product itself may overflow.
  const int64_t most = INT32_MAX / (int64_t{shape.batch} * shape.num_heads);  // blocks per head
  const bool fits = blocks_for(shape.seq_len_q) <= most && blocks_for(shape.seq_len_k) <= most;
  return fits ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace

extern "C" cudaError_t attention_backward(
    const float* Q, const float* K, const float* V, const float* O, const float* LSE,
    const float* dO, float* dQ, float* dK, float* dV, AttentionShape shape, float softmax_scale,
    bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (N_q > 0 && !(Q && O && LSE && dO && dQ)) return cudaErrorInvalidValue;
  if (N_k > 0 && !(K && V && dK && dV)) return cudaErrorInvalidValue;
  CUDA_RETURN_IF_ERROR(validate(shape));

  bool is_aligned = d % 4 == 0;  // every row of every tensor, to 16 bytes
  for (const void* tensor : std::initializer_list<const void*>{Q, K, V, O, dO, dQ, dK, dV})
    is_aligned = is_aligned && reinterpret_cast<uintptr_t>(tensor) % 16 == 0;
  const auto d_kernel = is_aligned ? delta_kernel<float4> : delta_kernel<float>;
  const auto k_kernel = is_aligned ? key_gradients_kernel<float4> : key_gradients_kernel<float>;
  const auto q_kernel = is_aligned ? query_gradients_kernel<float4> : query_gradients_kernel<float>;

  const int64_t heads = int64_t{shape.batch} * shape.num_heads, rows = heads * N_q;
  const int64_t q_blocks = blocks_for(N_q), k_blocks = blocks_for(N_k);  // per head
  float* delta = nullptr;                                                // [B, H, N_q]
  if (N_q > 0) CUDA_RETURN_IF_ERROR(cudaMallocAsync(&delta, rows * sizeof(float), stream));
  const Inputs in = {Q, O, dO, K, V, LSE, delta, rows, N_q, N_k, d, softmax_scale, causal};
  if (N_q > 0) d_kernel<<<blocks_for(rows), kThreads, 0, stream>>>(in, delta);
  if (N_q > 0) q_kernel<<<heads * q_blocks, kThreads, 0, stream>>>(in, dQ, q_blocks);
  if (N_k > 0) k_kernel<<<heads * k_blocks, kThreads, 0, stream>>>(in, dK, dV, k_blocks);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = delta ? cudaFreeAsync(delta, stream) : cudaSuccess;
  return launched != cudaSuccess ? launched : freed;
}
