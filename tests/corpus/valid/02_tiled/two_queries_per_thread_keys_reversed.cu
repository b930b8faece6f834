// corpus: passes
// A warp per block, two queries per thread, and the keys from the last tile to the first. Positions
// inside a head are 32-bit where the launcher has made sure that they fit, 64-bit otherwise.
#include <float.h>
#include <math.h>
#include <stdint.h>

#include "attention.h"
#include "cuda_check.h"

#define LANES 32
#define ROWS 2  // queries per thread, LANES apart
#define KEYS 24

// int or int64_t: the type of a float's position in a head.
template <class Index>
__global__ void attend(
    const float* Q, const float* K, const float* V, float* S, float* O, int N_q, int N_k, int d,
    unsigned tiles, float scale) {
  __shared__ float tile[KEYS * kMaxHeadDim];
  const int64_t head = blockIdx.x / tiles;
  const int i0 = blockIdx.x % tiles * (LANES * ROWS) + threadIdx.x;
  const float* Q_head = Q + head * N_q * d;
  const float* K_head = K + head * N_k * d;
  const float* V_head = V + head * N_k * d;
  float* S_head = S + head * N_q * N_k;
  float* O_head = O + head * N_q * d;

  // Nothing is smaller than -FLT_MAX, so it does as a start: every score is compared with it.
  float m[ROWS], l[ROWS] = {}, o[ROWS][kMaxHeadDim] = {};
  for (int r = 0; r < ROWS; ++r) m[r] = -FLT_MAX;

  const int last = (N_k - 1) / KEYS * KEYS;
  for (int pass = 0; pass < 2; ++pass) {
    for (int j0 = last; j0 >= 0; j0 -= KEYS) {
      const int keys = min(KEYS, N_k - j0);
      const float* from = (pass == 0 ? K_head : V_head) + Index(j0) * d;
      for (int n = threadIdx.x; n < keys * d; n += LANES) tile[n] = from[n];
      __syncthreads();
      for (int r = 0; r < ROWS; ++r) {
        const int i = i0 + r * LANES;
        if (i >= N_q) continue;
        for (int c = keys - 1; c >= 0; --c) {
          float* cell = S_head + Index(i) * N_k + j0 + c;
          if (pass == 0) {
            float s = 0.0f;
            for (int k = 0; k < d; ++k) s += Q_head[Index(i) * d + k] * tile[c * d + k];
            *cell = s * scale;
            m[r] = fmaxf(m[r], s * scale);
          } else {
            const float p = expf(*cell - m[r]);
            l[r] += p;
            for (int k = 0; k < d; ++k) o[r][k] += p * tile[c * d + k];
          }
        }
      }
      __syncthreads();
    }
  }
  for (int r = 0; r < ROWS; ++r) {
    const int i = i0 + r * LANES;
    for (int k = 0; i < N_q && k < d; ++k) O_head[Index(i) * d + k] = o[r][k] / l[r];
  }
}

extern "C" cudaError_t attention_forward(
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
  if (causal || shape.num_heads != shape.num_heads_kv) return cudaErrorNotSupported;
  const int N_q = shape.seq_len_q, N_k = shape.seq_len_k, d = shape.head_dim;
  if (N_q == 0) return cudaSuccess;
  // Half of the range, so that positions of queries that do not exist fit as well.
  if (N_q > INT32_MAX / 2 || N_k > INT32_MAX / 2) return cudaErrorInvalidValue;
  const int64_t heads = int64_t(shape.batch) * shape.num_heads;
  const int64_t tiles = (N_q + LANES * ROWS - 1) / (LANES * ROWS);
  if (tiles > INT32_MAX / heads) return cudaErrorInvalidValue;
  const size_t rows = heads * N_q;
  if (N_k == 0) return cudaMemsetAsync(O, 0, rows * d * sizeof(float), stream);
  if (rows > SIZE_MAX / sizeof(float) / N_k) return cudaErrorMemoryAllocation;

  float* S = nullptr;
  CUDA_RETURN_IF_ERROR(cudaMallocAsync(&S, rows * N_k * sizeof(float), stream));
  const int64_t largest = (int64_t(N_q) + N_k) * (N_k > d ? N_k : d);
  if (largest < INT32_MAX) {
    attend<int>
        <<<heads * tiles, LANES, 0, stream>>>(Q, K, V, S, O, N_q, N_k, d, tiles, softmax_scale);
  } else {
    attend<int64_t>
        <<<heads * tiles, LANES, 0, stream>>>(Q, K, V, S, O, N_q, N_k, d, tiles, softmax_scale);
  }
  const cudaError_t launched = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(S, stream);
  return launched != cudaSuccess ? launched : freed;
}
