// expect: error shared-out-of-bounds [A]
// The last thread reads its right neighbour, one element behind the array. Shared memory has no
// page that could fault there.
#include "../device_array.h"

__global__ void differences(int* out) {
  __shared__ int values[64];
  values[threadIdx.x] = threadIdx.x * threadIdx.x;
  __syncthreads();
  out[threadIdx.x] -= values[threadIdx.x + 1];  // [A]
}

int main() {
  DeviceArray<int> out(64);
  differences<<<1, 64>>>(out);
  return finish();
}
