// corpus: fails head_dims (wrong values)
// corpus: survives batch_and_heads
// The dot product and the output loop run over min(d, 64) columns: larger head dimensions lose
// columns.
#include <cmath>
#include <cstdint>

#include "attention.h"

namespace {

// D is the head dimension, or 0 if it is known only at run time.
template <int D>
__global__ void templated_kernel(
    const float* Q, const float* K, const float* V, float* O, int64_t rows, int64_t N_q,
    int64_t N_k, int head_dim, float softmax_scale) {
  constexpr int kCapacity = D > 0 ? D : kMaxHeadDim;
  const int d = D > 0 ? D : head_dim;  // the length of a row
  const int used = d < 64 ? d : 64;    // the columns that are computed
  const int64_t row = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  float q_reg[kCapacity];
  float o_reg[kCapacity];
#pragma unroll 8
  for (int k = 0; k < d; ++k) {
    q_reg[k] = Q[row * d + k] * softmax_scale;
    o_reg[k] = 0.0f;
  }
  const float* k_row = K + row / N_q * N_k * d;
  const float* v_row = V + row / N_q * N_k * d;
  float m = -INFINITY, l = 0.0f;
  for (int64_t j = 0; j < N_k; ++j, k_row += d, v_row += d) {
    float s = 0.0f;
    for (int k = 0; k < used; ++k) s += q_reg[k] * k_row[k];
    if (s > m) {  // a new maximum: shrink what has been summed so far
      const float rescale = expf(m - s);
      l *= rescale;
      for (int k = 0; k < d; ++k) o_reg[k] *= rescale;
      m = s;
    }
    const float p = expf(s - m);
    l += p;
    for (int k = 0; k < d; ++k) o_reg[k] += p * v_row[k];
  }
  for (int k = 0; k < d; ++k) O[row * d + k] = l > 0.0f ? o_reg[k] / l : 0.0f;
}

using Kernel = void (*)(
    const float*, const float*, const float*, float*, int64_t, int64_t, int64_t, int, float);

Kernel kernel_for(int head_dim) {
  switch (head_dim) {
    case 32:
      return templated_kernel<32>;
    case 64:
      return templated_kernel<64>;
    case 128:
      return templated_kernel<128>;
    default:
      return templated_kernel<0>;
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
  int64_t N_q = shape.seq_len_q, N_k = shape.seq_len_k;
  if (N_q == 0) return cudaSuccess;
  if (heads > int64_t(INT32_MAX) * 32 / N_q) return cudaErrorInvalidValue;
  int64_t rows = heads * N_q;
  void* arguments[] = {&Q, &K, &V, &O, &rows, &N_q, &N_k, &shape.head_dim, &softmax_scale};
  return cudaLaunchKernel(
      reinterpret_cast<const void*>(kernel_for(shape.head_dim)), dim3((rows + 31) / 32), dim3(32),
      arguments, 0, stream);
}
