// expect: warning shared-race [A] [B]
// Lanes exchange values through shared memory without __syncwarp: right only as long as the warp
// runs in lockstep, which no GPU promises since compute capability 7.0.
#include "../device_array.h"

__global__ void swap_neighbours(int* out) {
  __shared__ int values[32];
  values[threadIdx.x] = 0;
  __syncwarp();
  values[threadIdx.x] = threadIdx.x + 1;       // [A]
  out[threadIdx.x] = values[threadIdx.x ^ 1];  // [B]
}

int main() {
  DeviceArray<int> out(32);
  swap_neighbours<<<1, 32>>>(out);
  return finish();
}
