// corpus: fails contract (contract)
// corpus: survives launches, dv
// corpus: on a GPU fails contract or dv or dk or dq (contract | wrong values | not finite | never written)
// The pass over keys runs on a stream of its own, behind D; but the given stream does not wait for it.
#include <cmath>
#include <cstdint>

#include "attention.h"
#include "cuda_check.h"

namespace {

constexpr int kThreads = 128;

struct Inputs {
  const float *Q, *K, *V, *O, *LSE, *dO;
  float* delta;  // [B, H, N_q]
  int64_t rows_q, rows_k, N_q, N_k, d;
  float softmax_scale;
  bool causal;
};

// Weights of a pair of a query and a key: p goes to dV, ds to dQ and dK.
struct Pair {
  float p, ds;
};

__device__ float dot(const float* a, const float* b, int64_t d) {
  float sum = 0.0f;
  for (int64_t k = 0; k < d; ++k) sum += a[k] * b[k];
  return sum;
}

__device__ Pair pair_of(const Inputs& in, int64_t q_row, int64_t k_row) {
  const float s = in.softmax_scale * dot(in.Q + q_row * in.d, in.K + k_row * in.d, in.d);
  const float p = expf(s - in.LSE[q_row]);
  const float dp = dot(in.dO + q_row * in.d, in.V + k_row * in.d, in.d);
  return {p, p * (dp - in.delta[q_row])};
}

__global__ void delta_kernel(Inputs in) {
  const int64_t row = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (row < in.rows_q) in.delta[row] = dot(in.dO + row * in.d, in.O + row * in.d, in.d);
}

__global__ void query_kernel(Inputs in, float* dQ) {
  const int64_t row = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (row >= in.rows_q) return;
  const int64_t head = row / in.N_q, i = row % in.N_q;
  const int64_t keys = in.causal ? i + 1 + in.N_k - in.N_q : in.N_k;
  float* dq = dQ + row * in.d;  // [d]
  for (int64_t k = 0; k < in.d; ++k) dq[k] = 0.0f;
  for (int64_t j = keys - 1; j >= 0; --j) {
    const int64_t k_row = head * in.N_k + j;
    const float ds = in.softmax_scale * pair_of(in, row, k_row).ds;
    for (int64_t k = 0; k < in.d; ++k) dq[k] += ds * in.K[k_row * in.d + k];
  }
}

__global__ void key_kernel(Inputs in, float* dK, float* dV) {
  const int64_t row = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (row >= in.rows_k) return;
  const int64_t head = row / in.N_k, j = row % in.N_k;
  const int64_t first = in.causal ? max(int64_t{0}, j + in.N_q - in.N_k) : 0;
  float *dk = dK + row * in.d, *dv = dV + row * in.d;  // [d]
  for (int64_t k = 0; k < in.d; ++k) dk[k] = dv[k] = 0.0f;
  for (int64_t i = in.N_q - 1; i >= first; --i) {
    const int64_t q_row = head * in.N_q + i;
    const Pair pair = pair_of(in, q_row, row);
    for (int64_t k = 0; k < in.d; ++k) {
      dv[k] += pair.p * in.dO[q_row * in.d + k];
      dk[k] += in.softmax_scale * pair.ds * in.Q[q_row * in.d + k];
    }
  }
}

// A second stream, and what orders it; all of it ends with the call.
class Fork {
 public:
  ~Fork() {
    if (joined_) cudaEventDestroy(joined_);
    if (forked_) cudaEventDestroy(forked_);
    if (stream_) cudaStreamDestroy(stream_);
  }
  // From here on stream() continues what the given stream has done so far.
  cudaError_t begin(cudaStream_t given) {
    CUDA_RETURN_IF_ERROR(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    CUDA_RETURN_IF_ERROR(cudaEventCreateWithFlags(&forked_, cudaEventDisableTiming));
    CUDA_RETURN_IF_ERROR(cudaEventCreateWithFlags(&joined_, cudaEventDisableTiming));
    CUDA_RETURN_IF_ERROR(cudaEventRecord(forked_, given));
    return cudaStreamWaitEvent(stream_, forked_, 0);
  }
  // What the given stream does from here on waits for what stream() has done.
  cudaError_t end(cudaStream_t given) { return cudaEventRecord(joined_, given); }
  cudaStream_t stream() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
  cudaEvent_t forked_ = nullptr, joined_ = nullptr;
};

int64_t blocks_for(int64_t rows) { return (rows + kThreads - 1) / kThreads; }

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
  if (rows_q > 0) CUDA_RETURN_IF_ERROR(cudaMallocAsync(&delta, rows_q * sizeof(float), stream));
  const Inputs in = {Q,      K,   V,   O, LSE,           dO,    delta, rows_q,
                     rows_k, N_q, N_k, d, softmax_scale, causal};
  if (rows_q > 0) delta_kernel<<<blocks_for(rows_q), kThreads, 0, stream>>>(in);
  Fork fork;
  cudaError_t launched = fork.begin(stream);
  if (launched == cudaSuccess) {
    if (rows_k > 0) key_kernel<<<blocks_for(rows_k), kThreads, 0, fork.stream()>>>(in, dK, dV);
    if (rows_q > 0) query_kernel<<<blocks_for(rows_q), kThreads, 0, stream>>>(in, dQ);
    launched = cudaGetLastError();
    const cudaError_t joined = fork.end(stream);
    if (launched == cudaSuccess) launched = joined;
  }
  const cudaError_t freed = rows_q > 0 ? cudaFreeAsync(delta, stream) : cudaSuccess;
  return launched != cudaSuccess ? launched : freed;
}
