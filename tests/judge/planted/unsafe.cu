// One mistake for each tool of compute-sanitizer, chosen by head_dim: sanitizer.cpp lets the tools find them before it
// believes them. No attention is computed.
#include "attention.h"

namespace {

constexpr int kThreads = 64;

// memcheck: one float too many is written.
__global__ void writes_behind_the_end(float* O, int n) {
  for (int i = threadIdx.x; i <= n; i += kThreads) O[i] = 1.0f;
}

// synccheck: the second warp makes one round more, so that it waits in the loop and the first one behind it.
__global__ void waits_in_two_places(float* O, int n) {
  const int rounds = threadIdx.x < 32 ? n : n + 1;
  for (int i = 0; i < rounds; ++i) {
    O[threadIdx.x] = static_cast<float>(i);
    __syncthreads();
  }
  O[kThreads + threadIdx.x] = 0.0f;
  __syncthreads();
}

// racecheck: the other warp's float is read, without a barrier behind the write.
__global__ void reads_too_early(const float* Q, float* O) {
  __shared__ float tile[kThreads];
  tile[threadIdx.x] = Q[threadIdx.x];
  O[threadIdx.x] = tile[kThreads - 1 - threadIdx.x];
}

// initcheck: O has no value yet.
__global__ void adds_to_nothing(const float* Q, float* O) { O[threadIdx.x] += Q[threadIdx.x]; }

}  // namespace

extern "C" cudaError_t attention_forward(
    const float* Q, const float*, const float*, float* O, float*, AttentionShape shape, float, bool,
    cudaStream_t stream) {
  const int n = shape.seq_len_q * shape.head_dim;
  switch (shape.head_dim) {
    case 1:
      writes_behind_the_end<<<1, kThreads, 0, stream>>>(O, n);
      break;
    case 2:
      waits_in_two_places<<<1, kThreads, 0, stream>>>(O, shape.seq_len_k);
      break;
    case 3:
      reads_too_early<<<1, kThreads, 0, stream>>>(Q, O);
      break;
    case 4:
      adds_to_nothing<<<1, kThreads, 0, stream>>>(Q, O);
      break;
    default:
      return cudaErrorInvalidValue;
  }
  return cudaGetLastError();
}
