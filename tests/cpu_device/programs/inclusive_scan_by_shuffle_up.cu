// Inclusive and exclusive scans of a block by __shfl_up_sync; lanes below the offset must keep
// their own value.
#include <cuda_runtime.h>

#include "check.h"

__device__ int warp_inclusive_scan(int value) {
  const int lane = threadIdx.x & 31;
#pragma unroll
  for (int offset = 1; offset < 32; offset <<= 1) {
    int below = __shfl_up_sync(0xffffffffu, value, offset);
    if (lane >= offset) value += below;
  }
  return value;
}

__global__ void block_scan(const int* in, int* inclusive, int* exclusive) {
  __shared__ int warp_totals[32];
  const int tid = threadIdx.x, lane = tid & 31, warp = tid >> 5;
  const int i = blockIdx.x * blockDim.x + tid;
  const int value = in[i];
  int sum = warp_inclusive_scan(value);
  if (lane == 31) warp_totals[warp] = sum;
  __syncthreads();
  if (warp == 0) {
    int total = lane < blockDim.x / 32 ? warp_totals[lane] : 0;
    warp_totals[lane] = warp_inclusive_scan(total);
  }
  __syncthreads();
  if (warp > 0) sum += warp_totals[warp - 1];
  inclusive[i] = sum;
  exclusive[i] = sum - value;
}

int main() {
  for (int threads : {32, 128, 1024}) {
    const int blocks = 3, n = threads * blocks;
    std::vector<int> in(n);
    for (int i = 0; i < n; ++i) in[i] = (i * 29) % 101 - 50;
    int* d_in = upload(in);
    int* d_inclusive = upload(std::vector<int>(n, -1));
    int* d_exclusive = upload(std::vector<int>(n, -1));
    block_scan<<<blocks, threads>>>(d_in, d_inclusive, d_exclusive);
    CHECK_LAUNCH();
    std::vector<int> inclusive = download(d_inclusive, n), exclusive = download(d_exclusive, n);
    int sum = 0;
    for (int i = 0; i < n; ++i) {
      if (i % threads == 0) sum = 0;
      CHECK_EQ(exclusive[i], sum);
      sum += in[i];
      CHECK_EQ(inclusive[i], sum);
    }
    CHECK_CUDA(cudaFree(d_in));
    CHECK_CUDA(cudaFree(d_inclusive));
    CHECK_CUDA(cudaFree(d_exclusive));
  }
  return check_result();
}
