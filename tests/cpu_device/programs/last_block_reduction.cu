// Sum in one launch: blocks publish partial sums with __threadfence, the block that draws the last
// ticket adds them up. A write that passes the fence, or a ticket drawn twice, gives a wrong
// total.
#include <cuda_runtime.h>

#include "check.h"

__device__ unsigned int retired_blocks = 0;

__device__ int sum_of_block(int value) {
  __shared__ int partial[128];
  partial[threadIdx.x] = value;
  __syncthreads();
  for (int s = blockDim.x / 2; s > 0; s /= 2) {
    if (threadIdx.x < s) partial[threadIdx.x] += partial[threadIdx.x + s];
    __syncthreads();
  }
  const int sum = partial[0];
  __syncthreads();
  return sum;
}

__global__ void sum_all(const int* in, int n, volatile int* block_sums, int* total) {
  __shared__ bool is_last;
  int value = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    value += in[i];
  }
  const int sum = sum_of_block(value);
  if (threadIdx.x == 0) {
    block_sums[blockIdx.x] = sum;
    __threadfence();  // the sum is visible before the ticket is
    is_last = atomicInc(&retired_blocks, gridDim.x) == gridDim.x - 1;
  }
  __syncthreads();
  if (is_last) {
    int rest = 0;
    for (int b = threadIdx.x; b < gridDim.x; b += blockDim.x) rest += block_sums[b];
    rest = sum_of_block(rest);
    if (threadIdx.x == 0) {
      *total = rest;
      retired_blocks = 0;  // ready for the next launch
    }
  }
}

int main() {
  const int n = 50000, blocks = 37;
  std::vector<int> in(n);
  int expected = 0;
  for (int i = 0; i < n; ++i) {
    in[i] = i % 201 - 77;
    expected += in[i];
  }
  int* d_in = upload(in);
  int* d_sums = upload(std::vector<int>(blocks, -1));
  int* d_total = upload(std::vector<int>(1, -1));
  for (int repeat = 0; repeat < 5; ++repeat) {
    CHECK_CUDA(cudaMemset(d_total, 0xff, sizeof(int)));
    sum_all<<<blocks, 128>>>(d_in, n, d_sums, d_total);
    CHECK_LAUNCH();
    CHECK_EQ(download(d_total, 1)[0], expected);
  }
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_sums));
  CHECK_CUDA(cudaFree(d_total));
  return check_result();
}
