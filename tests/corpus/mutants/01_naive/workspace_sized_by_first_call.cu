// corpus: fails launches (out of bounds)
// corpus: survives compiles
// corpus: on a GPU fails one_tile (out of bounds)
// Allocates the workspace once, for the sizes of the first call: a larger second call runs off its
// end.
#include <math.h>
#include <stdint.h>

#include "attention.h"
#include "cuda_check.h"

__global__ void attn(
    const float *q, const float *k, const float *v, float *scores, float *out, size_t n_rows,
    size_t nq, size_t nk, size_t d, float scale) {
  size_t thread = threadIdx.y * blockDim.x + threadIdx.x;
  size_t per_block = blockDim.x * blockDim.y;
  for (size_t row = blockIdx.x * per_block + thread; row < n_rows; row += gridDim.x * per_block) {
    size_t bh = row / nq;
    float *s = scores + row * nk;
    float biggest = -HUGE_VALF;
    for (size_t j = 0; j < nk; j++) {
      float dot = 0.0f;
      for (size_t c = 0; c < d; c++) dot += q[row * d + c] * k[(bh * nk + j) * d + c];
      s[j] = dot * scale;
      if (s[j] > biggest) biggest = s[j];
    }
    float total = 0.0f;
    for (size_t j = 0; j < nk; j++) total += (s[j] = expf(s[j] - biggest));
    for (size_t c = 0; c < d; c++) {
      float acc = 0.0f;
      for (size_t j = 0; j < nk; j++) acc += s[j] / total * v[(bh * nk + j) * d + c];
      out[row * d + c] = acc;
    }
  }
}

extern "C" cudaError_t attention_forward(
    const float *q, const float *k, const float *v, float *out, float *lse, AttentionShape sh,
    float scale, bool causal, cudaStream_t stream) {
  (void)lse;
  if (sh.batch < 1 || sh.num_heads < 1 || sh.num_heads_kv < 1) return cudaErrorInvalidValue;
  if (sh.head_dim < 1 || sh.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (sh.seq_len_q < 0 || sh.seq_len_k < 0) return cudaErrorInvalidValue;
  if (sh.num_heads % sh.num_heads_kv != 0) return cudaErrorInvalidValue;
  if (sh.seq_len_q != 0 && (q == NULL || out == NULL)) return cudaErrorInvalidValue;
  if (sh.seq_len_k != 0 && (k == NULL || v == NULL)) return cudaErrorInvalidValue;
  if (causal || sh.num_heads_kv != sh.num_heads) return cudaErrorNotSupported;
  if (sh.seq_len_q == 0) return cudaSuccess;

  size_t n_rows = (size_t)sh.batch * sh.num_heads * sh.seq_len_q;
  size_t nk = sh.seq_len_k;
  if (nk > 0 && n_rows > SIZE_MAX / 4 / nk) return cudaErrorMemoryAllocation;
  size_t bytes = n_rows * nk * sizeof(float);
  static float *scores = NULL;
  if (scores == NULL && bytes > 0) CUDA_RETURN_IF_ERROR(cudaMalloc((void **)&scores, bytes));
  dim3 block(8, 16);
  size_t blocks = (n_rows + 127) / 128;
  attn<<<(unsigned)(blocks < 512 ? blocks : 512), block, 0, stream>>>(
      q, k, v, scores, out, n_rows, sh.seq_len_q, nk, sh.head_dim, scale);
  return cudaGetLastError();
}
