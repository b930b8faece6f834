// __syncthreads_count, _and and _or: a barrier with a result for the whole block, also with a
// partial warp and when used twice in a row.
#include <cuda_runtime.h>

#include "check.h"

__global__ void vote(int below, int* count, int* all, int* any) {
  const int tid = threadIdx.y * blockDim.x + threadIdx.x;
  const int threads = blockDim.x * blockDim.y;
  const int i = blockIdx.x * threads + tid;
  count[i] = __syncthreads_count(tid < below);
  count[i] += 10000 * __syncthreads_count(tid >= below ? 8 : 0);  // non-zero counts as one
  all[i] = __syncthreads_and(tid < below) != 0;
  any[i] = __syncthreads_or(tid < below) != 0;
}

__global__ void barrier_orders_memory(int* out) {
  __shared__ int values[96];
  values[threadIdx.x] = threadIdx.x + 1;
  const int n = __syncthreads_count(1);
  out[threadIdx.x] = n + values[n - 1 - threadIdx.x];
}

int main() {
  const int blocks = 3;
  for (dim3 block : {dim3(1), dim3(33), dim3(128), dim3(16, 5), dim3(1024)}) {
    const int threads = block.x * block.y, n = threads * blocks;
    int* d_out = upload(std::vector<int>(3 * n, -1));
    for (int below : {0, 1, threads / 2, threads - 1, threads}) {
      vote<<<blocks, block>>>(below, d_out, d_out + n, d_out + 2 * n);
      CHECK_LAUNCH();
      std::vector<int> out = download(d_out, 3 * n);
      for (int i = 0; i < n; ++i) {
        CHECK_EQ(out[i], below + 10000 * (threads - below));
        CHECK_EQ(out[n + i], below == threads ? 1 : 0);
        CHECK_EQ(out[2 * n + i], below > 0 ? 1 : 0);
      }
    }
    CHECK_CUDA(cudaFree(d_out));
  }
  int* d_out = upload(std::vector<int>(96, -1));
  barrier_orders_memory<<<1, 96>>>(d_out);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, 96);
  for (int i = 0; i < 96; ++i) CHECK_EQ(out[i], 96 + 96 - i);
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
