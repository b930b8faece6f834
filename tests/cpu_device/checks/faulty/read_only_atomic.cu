// expect: error read-only-write [A]
// An atomic changes memory that was marked; the rest of the same allocation may be written.
#include "../device_array.h"

__global__ void count(int* counters) {
  atomicAdd(&counters[threadIdx.x % 33], 1);  // [A]
}

int main() {
  DeviceArray<int> counters(64);
  mark_read_only(counters.get() + 32, 32 * sizeof(int));
  count<<<1, 64>>>(counters);
  return finish();
}
