// expect: error global-out-of-bounds [A]
// A maximum of doubles by compare-and-swap, one slot per block, one slot too few.
#include "../device_array.h"

__device__ void atomic_max(unsigned long long* slot, double value) {
  unsigned long long seen = 0;
  while (__longlong_as_double(static_cast<long long>(seen)) < value) {
    const unsigned long long wanted = __double_as_longlong(value);
    const unsigned long long before = atomicCAS(slot, seen, wanted);  // [A]
    if (before == seen) break;
    seen = before;
  }
}

__global__ void maximum_per_block(unsigned long long* maxima) {
  atomic_max(&maxima[blockIdx.x], 1.0 + threadIdx.x % 4);
}

int main() {
  DeviceArray<unsigned long long> maxima(4);
  maximum_per_block<<<5, 4>>>(maxima);
  return finish();
}
