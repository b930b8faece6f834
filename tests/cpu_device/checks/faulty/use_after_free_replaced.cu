// expect: error use-after-free [A]
// A buffer grows: the new one has the same size class as the freed one, and the kernel still has
// the old pointer. A device that hands the address out again hides it.
#include "../device_array.h"

__global__ void append(double* values, int at) {
  values[at + threadIdx.x] = at;  // [A]
}

int main() {
  double* old_values = nullptr;
  cudaMalloc(&old_values, 64 * sizeof(double));
  cudaFree(old_values);
  DeviceArray<double> new_values(64);
  append<<<1, 32>>>(old_values, 32);
  return finish();
}
