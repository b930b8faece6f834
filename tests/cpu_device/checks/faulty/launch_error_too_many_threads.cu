// expect: error launch-error [A]
// 2048 threads per block: the kernel never ran. cudaDeviceSynchronize does not report it.
#include <cstdio>

#include "../device_array.h"

__global__ void fill(int* out) { out[threadIdx.x] = 1; }

int main() {
  DeviceArray<int> out(2048);
  fill<<<1, 2048>>>(out);  // [A]
  if (cudaDeviceSynchronize() == cudaSuccess) std::printf("done\n");
  return 0;
}
