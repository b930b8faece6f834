// expect: error shared-race [A] [B]
// allow: error uninitialised-shared [B]
// __syncwarp orders the lanes of one warp; the values come from another one.
#include "../device_array.h"

__global__ void swap_warps(int* out) {
  __shared__ int values[64];
  values[threadIdx.x] = threadIdx.x + 1;  // [A]
  __syncwarp();
  out[threadIdx.x] = values[threadIdx.x ^ 32];  // [B]
}

int main() {
  DeviceArray<int> out(64);
  swap_warps<<<1, 64>>>(out);
  return finish();
}
