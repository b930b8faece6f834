// corpus: fails launches (hang)
// corpus: survives compiles
// Walks over the keys in 64 slices of N_k / 64; with fewer than 64 keys a slice is empty and the
// loop stays where it is.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

struct Sizes {
  int64_t N_q, N_k, d;
};

__global__ void __launch_bounds__(32) online_attention_kernel(
    const float* __restrict__ Q,  // [B, H, N_q, d]
    const float* __restrict__ K,  // [B, H, N_k, d]
    const float* __restrict__ V,  // [B, H, N_k, d]
    float* __restrict__ O,        // [B, H, N_q, d]
    Sizes n, unsigned tiles, float softmax_scale) {
  const int64_t head = blockIdx.x / tiles;
  const int64_t i = int64_t{blockIdx.x % tiles} * 32 + threadIdx.x;
  if (i < n.N_q) {
    const float* q = &Q[(head * n.N_q + i) * n.d];
    float o[kMaxHeadDim] = {};
    float m = -INFINITY, l = 0;
    const int64_t slice = n.N_k / 64;
    int64_t j = 0, end = slice;
    while (j < n.N_k) {
      if (j >= end) {  // on to the next slice
        end = min(end + slice, n.N_k);
        continue;
      }
      const float* k_row = &K[(head * n.N_k + j) * n.d];
      const float* v_row = &V[(head * n.N_k + j) * n.d];
      float s = 0;
      for (int64_t k = 0; k < n.d; ++k) s = fmaf(q[k], k_row[k], s);
      s *= softmax_scale;
      const float m_new = s > m ? s : m;
      const float rescale = expf(m - m_new);  // 0 for the first key, because m is -inf then
      const float p = expf(s - m_new);
      l = l * rescale + p;
      for (int64_t k = 0; k < n.d; ++k) o[k] = o[k] * rescale + p * v_row[k];
      m = m_new;
      ++j;
    }
    const float inverse = l == 0 ? 0 : 1 / l;
    for (int64_t k = 0; k < n.d; ++k) O[(head * n.N_q + i) * n.d + k] = o[k] * inverse;
  }
}

}  // namespace

cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
  const bool positive =
      shape.batch > 0 && shape.num_heads > 0 && shape.num_heads_kv > 0 && shape.head_dim > 0;
  if (!positive || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (!Q || !O)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (!K || !V)) return cudaErrorInvalidValue;
  if (causal) return cudaErrorNotSupported;
  if (shape.num_heads_kv != shape.num_heads) return cudaErrorNotSupported;
  const Sizes n{shape.seq_len_q, shape.seq_len_k, shape.head_dim};
  if (n.N_q == 0) return cudaSuccess;

  const int64_t heads = static_cast<int64_t>(shape.batch) * shape.num_heads;
  const int64_t tiles = (n.N_q + 31) / 32;
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  const dim3 grid(static_cast<unsigned>(heads * tiles));
  online_attention_kernel<<<grid, 32, 0, stream>>>(Q, K, V, O, n, (unsigned)tiles, softmax_scale);
  return cudaPeekAtLastError() == cudaSuccess ? cudaSuccess : cudaGetLastError();
}
