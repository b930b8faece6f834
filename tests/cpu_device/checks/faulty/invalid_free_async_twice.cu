// expect: error invalid-free [A]
// cudaFreeAsync and later cudaFree of the same memory.
#include "../device_array.h"

__global__ void touch(int* values) { values[threadIdx.x] = 1; }

int main() {
  int* values = nullptr;
  cudaMallocAsync(reinterpret_cast<void**>(&values), 32 * sizeof(int), nullptr);
  touch<<<1, 32>>>(values);
  cudaFreeAsync(values, nullptr);
  cudaDeviceSynchronize();
  cudaFree(values);  // [A]
  return finish();
}
