// expect: error invalid-free [A]
// The address of a __device__ variable is no allocation.
#include "../device_array.h"

__device__ int table[64];

__global__ void touch() { table[threadIdx.x] = 1; }

int main() {
  void* address = nullptr;
  cudaGetSymbolAddress(&address, table);
  touch<<<1, 64>>>();
  cudaDeviceSynchronize();
  cudaFree(address);  // [A]
  return finish();
}
