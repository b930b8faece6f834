// expect: error invalid-free [A]
// cudaFree of malloc'ed memory, in a clean-up function.
#include <cstdlib>

#include "../device_array.h"

__global__ void touch(int* values) { values[threadIdx.x] = 1; }

void release(void* memory) {
  cudaFree(memory);  // [A]
}

int main() {
  DeviceArray<int> values(32);
  touch<<<1, 32>>>(values);
  int* const host = static_cast<int*>(std::calloc(32, sizeof(int)));
  release(host);
  std::free(host);
  return finish();
}
