// expect: error invalid-free [A]
// The pointer was advanced and no longer is what cudaMalloc returned.
#include "../device_array.h"

__global__ void touch(float* values) { values[threadIdx.x] = 1.0f; }

int main() {
  float* values = nullptr;
  cudaMalloc(&values, 128 * sizeof(float));
  float* cursor = values;
  for (int k = 0; k < 2; ++k) {
    touch<<<1, 32>>>(cursor);
    cursor += 32;
  }
  cudaDeviceSynchronize();
  cudaFree(cursor);  // [A]
  cudaFree(values);
  return finish();
}
