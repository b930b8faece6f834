// expect: error global-race [A] [B]
// Block 0 sets the total's start with a plain write in the launch in which all blocks add to it. In
// order of the blocks the result is right.
#include "../device_array.h"

__device__ void add(int* total, int value) {
  atomicAdd(total, value);  // [B]
}

__global__ void sum(int* total, int start) {
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    *total = start;  // [A]
  }
  __syncthreads();
  add(total, static_cast<int>(threadIdx.x) + 1);
}

int main() {
  DeviceArray<int> total(1);
  sum<<<4, 64>>>(total, 5);
  return finish();
}
