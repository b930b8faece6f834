// expect: error uninitialised-global [A]
// Atomics add to bins that nobody cleared.
#include "../device_array.h"

__global__ void histogram(int* bins) {
  atomicAdd(&bins[threadIdx.x % 10], 1);  // [A]
}

int main() {
  DeviceArray<int> bins(10, Fill::kNone);
  histogram<<<4, 64>>>(bins);
  return finish();
}
