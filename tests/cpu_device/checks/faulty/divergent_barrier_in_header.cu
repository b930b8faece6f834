// expect: error divergent-barrier [A] [B]
// One warp waits in a function of a header while the rest waits in the kernel.
#include "../device_array.h"
#include "divergent_barrier_in_header.cuh"

__global__ void stages(int* out) {
  if (threadIdx.x / 32 == 2) wait_for_all();
  out[threadIdx.x] = 1;
  __syncthreads();  // [B]
}

int main() {
  DeviceArray<int> out(128);
  stages<<<1, 128>>>(out);
  return finish();
}
