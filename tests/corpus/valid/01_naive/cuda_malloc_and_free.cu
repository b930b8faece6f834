// corpus: passes
// Uses the plain cudaMalloc and cudaFree, with a wait on the stream in between, for its workspace.
#include <cfloat>
#include <cmath>
#include <cstdint>

#include "attention.h"

#define CHECK(call)                           \
  {                                           \
    cudaError_t status = (call);              \
    if (status != cudaSuccess) return status; \
  }

__device__ float dot(const float* a, const float* b, int n) {
  float sum = 0.0f;
  while (n-- > 0) sum += *a++ * *b++;
  return sum;
}

__global__ void attention(
    const float* query, const float* key, const float* value, float* weight, float* out,
    unsigned long long rows, unsigned n_query, unsigned n_key, unsigned dim, float scale) {
  unsigned long long row = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  unsigned long long head = row / n_query;
  query += row * dim;
  out += row * dim;
  weight += row * n_key;
  key += head * n_key * dim;
  value += head * n_key * dim;

  float best = -FLT_MAX;
  for (unsigned j = 0; j < n_key; j++) {
    weight[j] = scale * dot(query, key + (size_t)j * dim, dim);
    best = fmaxf(best, weight[j]);
  }
  float total = 0.0f;
  for (unsigned j = 0; j < n_key; j++) total += weight[j] = expf(weight[j] - best);
  if (n_key == 0) total = 1.0f;
  for (unsigned k = 0; k < dim; k++) {
    const float* v = value + k;
    float sum = 0.0f;
    for (unsigned j = 0; j < n_key; j++, v += dim) sum += weight[j] * *v;
    out[k] = sum / total;
  }
}

extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream) {
  (void)LSE;
  if (shape.batch < 1 || shape.num_heads < 1 || shape.num_heads_kv < 1)
    return cudaErrorInvalidValue;
  if (shape.head_dim < 1 || shape.head_dim > kMaxHeadDim) return cudaErrorInvalidValue;
  if (shape.num_heads % shape.num_heads_kv > 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q < 0 || shape.seq_len_k < 0) return cudaErrorInvalidValue;
  if (shape.seq_len_q > 0 && (!Q || !O)) return cudaErrorInvalidValue;
  if (shape.seq_len_k > 0 && (!K || !V)) return cudaErrorInvalidValue;
  if (causal || shape.num_heads_kv < shape.num_heads) return cudaErrorNotSupported;
  unsigned long long rows = 1ULL * shape.batch * shape.num_heads * shape.seq_len_q;
  if (rows == 0) return cudaSuccess;

  void* weight;
  CHECK(cudaMalloc(&weight, rows * shape.seq_len_k * sizeof(float)));
  attention<<<(rows + 95) / 96, 96, 0, stream>>>(
      Q, K, V, (float*)weight, O, rows, shape.seq_len_q, shape.seq_len_k, shape.head_dim,
      softmax_scale);
  cudaError_t launched = cudaGetLastError();
  cudaError_t finished = cudaStreamSynchronize(stream);
  CHECK(cudaFree(weight));
  CHECK(launched);
  return finished;
}
