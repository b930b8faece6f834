// expect: error leak [A]
// Allocated and never freed; the operating system cleans up behind the program.
#include "../device_array.h"

__global__ void touch(int* values) { values[threadIdx.x] = 1; }

int main() {
  int* values = nullptr;
  cudaMalloc(&values, 32 * sizeof(int));  // [A]
  touch<<<1, 32>>>(values);
  return finish();
}
