// corpus: fails grouped_heads (never written)
// corpus: survives hard_numbers
// corpus: survives scalar_path
// The grid has a block per multiprocessor, but a block steps on by as many as the device could hold
// at a time: with more tiles than multiprocessors, some are left out.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

constexpr int kSide = 16;  // threads per row of a tile
constexpr int kThreads = kSide * kSide;
constexpr int kEach = 4;  // rows, and keys, per thread
constexpr int Br = kSide * kEach;
constexpr int kPitch = Br + 4;  // floats between rows of the transposed tiles
constexpr float kLog2e = 1.44269504f;
constexpr float kLn2 = 0.693147181f;

// At d = 128 there is no room for more.
template <int D>
constexpr int kKeysOfTile = D <= 64 ? 64 : 32;

struct Arguments {
  const float *Q, *K, *V;
  float *O, *LSE;
  int64_t N_q, N_k, heads, tiles;  // tiles of one head
  int d, num_heads, num_heads_kv;
  float scale_log2;
  int64_t stride;  // from a tile of a block to its next
  bool causal, wide;
};

__device__ float element(const Arguments& a, const float* rows, int64_t r, int64_t N, int k) {
  return r < N && k < a.d ? rows[r * a.d + k] : 0.0f;
}

__device__ float4 load_four(const Arguments& a, const float* rows, int64_t r, int64_t N, int k) {
  if (a.wide && r < N && k < a.d) return *reinterpret_cast<const float4*>(rows + r * a.d + k);
  if (a.wide) return float4{};
  return {
      element(a, rows, r, N, k), element(a, rows, r, N, k + 1), element(a, rows, r, N, k + 2),
      element(a, rows, r, N, k + 3)};
}

// count rows from the first on, transposed: [D, pitch].
template <int D>
__device__ void load_transposed(
    const Arguments& a, float* tile, int pitch, int count, const float* rows, int64_t first,
    int64_t N) {
  for (int n = threadIdx.x; n < count * (D / 4); n += kThreads) {
    const int r = n / (D / 4), k = n % (D / 4) * 4;
    const float4 four = load_four(a, rows, first + r, N, k);
    tile[k * pitch + r] = four.x;
    tile[(k + 1) * pitch + r] = four.y;
    tile[(k + 2) * pitch + r] = four.z;
    tile[(k + 3) * pitch + r] = four.w;
  }
}

template <int D>
__global__ void __launch_bounds__(kThreads) persistent_kernel(Arguments a) {
  constexpr int kColumns = D / kSide;  // of O per thread
  constexpr int Bc = kKeysOfTile<D>;
  constexpr int kKeys = Bc / kSide;  // per thread
  extern __shared__ float4 smem[];
  float* const Q_smem = reinterpret_cast<float*>(smem);  // [D, Br + 4]
  float* const K_smem = Q_smem + D * kPitch;             // [D, Bc + 4]
  float* const V_smem = K_smem + D * (Bc + 4);           // [Bc, D]
  float* const P_smem = V_smem + Bc * D;                 // [Bc, Br + 4]
  const int x = threadIdx.x % kSide, y = threadIdx.x / kSide;
  const int64_t offset = a.N_k - a.N_q;

  for (int64_t work = blockIdx.x; work < a.heads * a.tiles; work += a.stride) {
    const int64_t head = work / a.tiles, i0 = work % a.tiles * Br;
    const int64_t b = head / a.num_heads, h = head % a.num_heads;
    const int64_t kv_head = b * a.num_heads_kv + h * a.num_heads_kv / a.num_heads;
    const float* const K_head = a.K + kv_head * a.N_k * a.d;
    const float* const V_head = a.V + kv_head * a.N_k * a.d;
    __syncthreads();  // all are done with Q of the tile before
    load_transposed<D>(a, Q_smem, kPitch, Br, a.Q + head * a.N_q * a.d, i0, a.N_q);

    float m[kEach], l[kEach] = {}, o[kEach][kColumns] = {};
    for (float& maximum : m) maximum = -INFINITY;
    const int64_t end = a.causal ? min(i0 + Br, a.N_q) + offset : a.N_k;
    for (int64_t j0 = 0; j0 < end; j0 += Bc) {
      __syncthreads();  // all are done with K and V of the tile before
      load_transposed<D>(a, K_smem, Bc + 4, Bc, K_head, j0, a.N_k);
      for (int n = threadIdx.x; n < Bc * (D / 4); n += kThreads)
        *reinterpret_cast<float4*>(V_smem + 4 * n) =
            load_four(a, V_head, j0 + n / (D / 4), a.N_k, n % (D / 4) * 4);
      __syncthreads();  // the tiles are there, and Q

      float s[kEach][kKeys] = {};
      for (int k = 0; k < D; ++k) {
        const float4 q = *reinterpret_cast<float4*>(Q_smem + k * kPitch + kEach * y);
        const float q_reg[kEach] = {q.x, q.y, q.z, q.w};
        for (int c = 0; c < kKeys; c += 2) {
          const float2 key = *reinterpret_cast<float2*>(K_smem + k * (Bc + 4) + kKeys * x + c);
          for (int r = 0; r < kEach; ++r) {
            s[r][c] += q_reg[r] * key.x;
            s[r][c + 1] += q_reg[r] * key.y;
          }
        }
      }
      for (int r = 0; r < kEach; ++r) {
        const int64_t i = i0 + kEach * y + r;
        const int64_t seen = a.causal ? min(i + 1 + offset, a.N_k) : a.N_k;
        float m_new = m[r];
        for (int c = 0; c < kKeys; ++c) {
          s[r][c] = j0 + kKeys * x + c < seen ? a.scale_log2 * s[r][c] : -INFINITY;
          m_new = fmaxf(m_new, s[r][c]);
        }
        for (int lanes = kSide / 2; lanes > 0; lanes /= 2)
          m_new = fmaxf(m_new, __shfl_xor_sync(~0u, m_new, lanes, kSide));
        const float base = m_new == -INFINITY ? 0.0f : m_new;  // no key seen yet
        // One thread computes the factor for its row.
        const float factor = x == 0 ? exp2f(m[r] - base) : 0.0f;
        const float rescale = __shfl_sync(~0u, factor, 0, kSide);
        m[r] = m_new;
        l[r] *= rescale;
        for (float& value : o[r]) value *= rescale;
        for (int c = 0; c < kKeys; ++c) {
          const float p = exp2f(s[r][c] - base);
          l[r] += p;
          P_smem[(kKeys * x + c) * kPitch + kEach * y + r] = p;
        }
      }
      __syncwarp();  // two values of y, and the rows that belong to them
      for (int c = 0; c < Bc; ++c) {
        const float4 p = *reinterpret_cast<float4*>(P_smem + c * kPitch + kEach * y);
        const float p_reg[kEach] = {p.x, p.y, p.z, p.w};
        for (int k = 0; k < kColumns; ++k) {
          const float v = V_smem[c * D + x + kSide * k];
          for (int r = 0; r < kEach; ++r) o[r][k] += p_reg[r] * v;
        }
      }
      __syncwarp();  // and are done with
    }

    for (int r = 0; r < kEach; ++r) {
      for (int lanes = kSide / 2; lanes > 0; lanes /= 2)
        l[r] += __shfl_xor_sync(~0u, l[r], lanes, kSide);
      const int64_t i = i0 + kEach * y + r;
      if (i >= a.N_q) continue;
      const float inverse = l[r] > 0.0f ? 1.0f / l[r] : 0.0f;
      for (int k = 0; k < kColumns; ++k)
        if (x + kSide * k < a.d) a.O[(head * a.N_q + i) * a.d + x + kSide * k] = inverse * o[r][k];
      if (a.LSE != nullptr && x == 0) a.LSE[head * a.N_q + i] = kLn2 * m[r] + logf(l[r]);
    }
  }
}

template <int D>
cudaError_t launch(Arguments arguments, cudaStream_t stream) {
  constexpr int Bc = kKeysOfTile<D>;
  constexpr size_t kBytes = (D * kPitch + D * (Bc + 4) + Bc * D + Bc * kPitch) * sizeof(float);
  int device = 0, multiprocessors = 0, blocks = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess)
    error = cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
  if (error == cudaSuccess)
    error = cudaFuncSetAttribute(
        persistent_kernel<D>, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes);
  if (error == cudaSuccess)
    error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(
        &blocks, persistent_kernel<D>, kThreads, kBytes);
  if (error != cudaSuccess) return error;
  arguments.stride = int64_t{multiprocessors} * (blocks > 0 ? blocks : 1);
  const int64_t work = arguments.heads * arguments.tiles;
  persistent_kernel<D>
      <<<static_cast<unsigned>(work < multiprocessors ? work : multiprocessors), kThreads, kBytes,
         stream>>>(arguments);
  return cudaGetLastError();
}

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  const int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k;
  const int d = shape.head_dim;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (N_q < 0 || N_k < 0 || d < 1 || d > kMaxHeadDim) return cudaErrorInvalidValue;
  if (N_q > 0 && (Q == nullptr || O == nullptr)) return cudaErrorInvalidValue;
  if (N_k > 0 && (K == nullptr || V == nullptr)) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  const auto is_aligned = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; };
  const Arguments arguments = {
      Q,
      K,
      V,
      O,
      LSE,
      N_q,
      N_k,
      int64_t{shape.batch} * shape.num_heads,
      (N_q + Br - 1) / Br,
      d,
      shape.num_heads,
      shape.num_heads_kv,
      softmax_scale * kLog2e,
      0,
      causal,
      d % 4 == 0 && is_aligned(Q) && is_aligned(K) && is_aligned(V)};
  return d <= 32   ? launch<32>(arguments, stream)
         : d <= 64 ? launch<64>(arguments, stream)
                   : launch<128>(arguments, stream);
}
