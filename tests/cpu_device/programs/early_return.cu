// Threads, warps and whole blocks that return early; the rest must not wait for them at barriers
// or shuffles that they no longer take part in.
#include <cuda_runtime.h>

#include "check.h"

__global__ void whole_blocks(int* out, int active_blocks) {
  if (blockIdx.x >= active_blocks) return;
  __shared__ int values[64];
  values[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = values[63 - threadIdx.x];
}

// The upper warps leave; GPUs count only the threads that are still there.
__global__ void upper_warps(int* out) {
  __shared__ int values[32];
  if (threadIdx.x >= 32) return;
  values[threadIdx.x] = 2 * threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = values[31 - threadIdx.x];
}

// All threads meet, then some return, and the last warp goes on alone with its own lanes.
__global__ void after_the_last_barrier(int* out, int n) {
  __shared__ int values[96];
  values[threadIdx.x] = 3 * threadIdx.x;
  __syncthreads();
  if (threadIdx.x < 64) return;
  int sum = values[threadIdx.x] + values[threadIdx.x - 64];
  for (int offset = 16; offset > 0; offset /= 2) {
    sum += __shfl_xor_sync(0xffffffff, sum, offset);
  }
  if (threadIdx.x >= n) return;
  out[threadIdx.x - 64] = sum;
}

int main() {
  const int n = 10 * 64;
  int* d_out = upload(std::vector<int>(n, -1));
  whole_blocks<<<10, 64>>>(d_out, 4);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, n);
  for (int i = 0; i < n; ++i) CHECK_EQ(out[i], i < 4 * 64 ? 63 - i % 64 : -1);

  upper_warps<<<1, 128>>>(d_out);
  CHECK_LAUNCH();
  out = download(d_out, 32);
  for (int i = 0; i < 32; ++i) CHECK_EQ(out[i], 2 * (31 - i));

  CHECK_CUDA(cudaMemset(d_out, 0xff, n * sizeof(int)));
  after_the_last_barrier<<<1, 96>>>(d_out, 80);
  CHECK_LAUNCH();
  out = download(d_out, 32);
  int expected = 0;
  for (int lane = 0; lane < 32; ++lane) expected += 3 * (64 + lane) + 3 * lane;
  for (int i = 0; i < 32; ++i) CHECK_EQ(out[i], i < 16 ? expected : -1);
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
