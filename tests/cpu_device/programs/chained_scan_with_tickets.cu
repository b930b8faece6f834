// Single-pass scan: blocks number themselves by an atomic ticket and wait for the block before
// them. Blocks that have started must all make progress, or the chain hangs.
#include <cuda_runtime.h>

#include "check.h"

__global__ void chained_scan(
    const int* in, int* out, int n, int* ticket, int* ready, volatile int* prefix) {
  __shared__ int block_id;
  __shared__ int values[128];
  __shared__ int before;
  if (threadIdx.x == 0) block_id = atomicAdd(ticket, 1);
  __syncthreads();
  const int i = block_id * blockDim.x + threadIdx.x;
  values[threadIdx.x] = i < n ? in[i] : 0;
  __syncthreads();
  for (int offset = 1; offset < blockDim.x; offset *= 2) {
    const int below = threadIdx.x >= offset ? values[threadIdx.x - offset] : 0;
    __syncthreads();
    values[threadIdx.x] += below;
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    while (atomicAdd(ready, 0) != block_id) {
    }
    __threadfence();
    before = *prefix;
    *prefix = before + values[blockDim.x - 1];
    __threadfence();
    atomicAdd(ready, 1);
  }
  __syncthreads();
  if (i < n) out[i] = before + values[threadIdx.x];
}

int main() {
  const int n = 9999, threads = 128, blocks = (n + threads - 1) / threads;
  std::vector<int> in(n);
  for (int i = 0; i < n; ++i) in[i] = (i * 31) % 17 - 5;
  int* d_in = upload(in);
  int* d_out = upload(std::vector<int>(n, -1));
  int* d_state = upload(std::vector<int>(3, 0));
  chained_scan<<<blocks, threads>>>(d_in, d_out, n, d_state, d_state + 1, d_state + 2);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, n);
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    sum += in[i];
    CHECK_EQ(out[i], sum);
  }
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_out));
  CHECK_CUDA(cudaFree(d_state));
  return check_result();
}
