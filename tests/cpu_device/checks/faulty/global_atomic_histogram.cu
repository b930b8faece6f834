// expect: error global-out-of-bounds [A]
// Values range from 0 to 16 inclusive, the histogram has 16 bins: the atomic for the largest value
// goes behind the end. Atomics are not plain accesses, and a tool may forget to check them.
#include "../device_array.h"

__global__ void histogram(const int* offset, unsigned* bins) {
  const int value = (threadIdx.x + offset[0]) % 17;
  atomicAdd(&bins[value], 1u);  // [A]
}

int main() {
  DeviceArray<int> offset(1);
  DeviceArray<unsigned> bins(16);
  histogram<<<1, 64>>>(offset, bins);
  return finish();
}
