// expect: error global-race [A] [A]
// A histogram in global memory with ++ instead of atomicAdd, in 2-D blocks.
#include "../device_array.h"

__global__ void histogram(unsigned* bins) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  bins[(x + 3 * y) % 8]++;  // [A]
}

int main() {
  DeviceArray<unsigned> bins(8);
  histogram<<<dim3(2, 2), dim3(16, 8)>>>(bins);
  return finish();
}
