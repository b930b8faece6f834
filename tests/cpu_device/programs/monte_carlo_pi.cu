// Monte Carlo estimate of pi with a generator per thread and a two-level count; repeats must give
// the same count.
#include <cuda_runtime.h>

#include "check.h"

__host__ __device__ inline unsigned next_random(unsigned& state) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;  // the low bits are poor
}

__host__ __device__ inline unsigned hits_of(unsigned thread, int samples) {
  unsigned state = thread * 2654435761u + 12345u, hits = 0;
  for (int i = 0; i < samples; ++i) {
    const double x = next_random(state) / 16777216.0;
    const double y = next_random(state) / 16777216.0;
    if (x * x + y * y < 1.0) ++hits;
  }
  return hits;
}

__global__ void count_hits(unsigned long long* total, int samples) {
  __shared__ unsigned block_hits;
  if (threadIdx.x == 0) block_hits = 0;
  __syncthreads();
  atomicAdd(&block_hits, hits_of(blockIdx.x * blockDim.x + threadIdx.x, samples));
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(total, static_cast<unsigned long long>(block_hits));
}

int main() {
  const int blocks = 16, threads = 128, samples = 200;
  unsigned long long expected = 0;
  for (int t = 0; t < blocks * threads; ++t) expected += hits_of(t, samples);
  unsigned long long* d_total = upload(std::vector<unsigned long long>(1, 0));
  for (int repeat = 0; repeat < 2; ++repeat) {
    CHECK_CUDA(cudaMemset(d_total, 0, sizeof(unsigned long long)));
    count_hits<<<blocks, threads>>>(d_total, samples);
    CHECK_LAUNCH();
    // x * x + y * y may be fused on the device: a point in 2^24 can fall on the other side.
    CHECK_NEAR(download(d_total, 1)[0], expected, 1);
  }
  CHECK_NEAR(4.0 * expected / (static_cast<double>(blocks) * threads * samples), 3.14159, 0.01);
  CHECK_CUDA(cudaFree(d_total));
  return check_result();
}
