// expect: error uninitialised-shared [A]
// Each warp stores its sum and the first warp adds 32 of them, whatever the number of warps is.
#include "../device_array.h"

__device__ int sum_of_warp(int value) {
  for (int d = 16; d > 0; d /= 2) value += __shfl_down_sync(0xffffffff, value, d);
  return value;
}

__global__ void block_sum(const int* in, int* out) {
  __shared__ int sums[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int sum = sum_of_warp(in[threadIdx.x]);
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  if (warp == 0) {
    const int part = sums[lane];  // [A]
    const int total = sum_of_warp(part);
    if (lane == 0) *out = total;
  }
}

int main() {
  DeviceArray<int> in(256), out(1);
  block_sum<<<1, 256>>>(in, out);
  return finish();
}
