// corpus: fails one_tile (wrong values)
// corpus: survives launches
// Replaces expf by exp2f without folding log2(e) into the scale: a softmax with a higher
// temperature, whose rows still sum to 1.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int Br = 48;  // queries per block, not a power of two

__global__ void attention_base_2(
    const float* Q, const float* K, const float* V, float* S, float* O, int64_t N_q, int64_t N_k,
    int64_t d, int64_t T_r, float softmax_scale_log2) {
  const int64_t head = blockIdx.x / T_r;
  const int64_t i = blockIdx.x % T_r * Br + threadIdx.x;
  if (i >= N_q) return;
  const int64_t row = head * N_q + i;
  Q += row * d;
  O += row * d;
  S += row * N_k;
  K += head * N_k * d;
  V += head * N_k * d;

  float m = -INFINITY;
  for (int64_t j = 0; j < N_k; ++j) {
    float s = 0;
    for (int k = 0; k < d; ++k) s = fmaf(Q[k], K[j * d + k], s);
    S[j] = s;
    m = max(m, s * softmax_scale_log2);
  }
  float l = 0;
  for (int64_t j = 0; j < N_k; ++j) {
    S[j] = exp2f(fmaf(S[j], softmax_scale_log2, -m));
    l += S[j];
  }
  const float inv_l = 1 / l;
  for (int k = 0; k < d; ++k) {
    float o = 0;
    for (int64_t j = 0; j < N_k; ++j) o = fmaf(S[j], V[j * d + k], o);
    O[k] = o * inv_l;
  }
}

bool missing(const void* pointer, int64_t length) { return length > 0 && pointer == nullptr; }

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float*, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  const auto [B, H, H_kv, N_q, N_k, d] = shape;
  if (B < 1 || H < 1 || H_kv < 1 || H % H_kv || N_q < 0 || N_k < 0 || d < 1 || d > kMaxHeadDim)
    return cudaErrorInvalidValue;
  if (missing(Q, N_q) || missing(O, N_q) || missing(K, N_k) || missing(V, N_k))
    return cudaErrorInvalidValue;
  if (causal || H != H_kv) return cudaErrorNotSupported;
  const int64_t heads = int64_t{B} * H;
  const int64_t T_r = (int64_t{N_q} + Br - 1) / Br;
  if (T_r > INT32_MAX / heads) return cudaErrorInvalidValue;
  if (N_q == 0) return cudaSuccess;
  const size_t rows = heads * N_q;
  if (N_k == 0) return cudaMemsetAsync(O, 0, rows * d * sizeof(float), stream);
  if (rows > SIZE_MAX / sizeof(float) / N_k) return cudaErrorMemoryAllocation;

  void* S = nullptr;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * N_k * sizeof(float), stream));
  attention_base_2<<<heads * T_r, Br, 0, stream>>>(
      Q, K, V, static_cast<float*>(S), O, N_q, N_k, d, T_r, softmax_scale);
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched == cudaSuccess ? freed : launched;
}
