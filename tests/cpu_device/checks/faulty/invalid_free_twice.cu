// expect: error invalid-free [A]
// Freed twice; the error is thrown away.
#include "../device_array.h"

__global__ void touch(int* values) { values[threadIdx.x] = 1; }

int main() {
  int* values = nullptr;
  cudaMalloc(&values, 32 * sizeof(int));
  touch<<<1, 32>>>(values);
  cudaDeviceSynchronize();
  cudaFree(values);
  cudaFree(values);  // [A]
  return finish();
}
