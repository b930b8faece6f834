// expect: error leak [A]
// Each round allocates anew into the same pointer; the last allocation only is freed.
#include "../device_array.h"

__global__ void touch(double* values) { values[threadIdx.x] = 1.0; }

int main() {
  double* values = nullptr;
  for (int round = 1; round <= 4; ++round) {
    cudaMalloc(&values, round * 32 * sizeof(double));  // [A]
    touch<<<round, 32>>>(values);
  }
  finish();
  cudaFree(values);
  return 0;
}
