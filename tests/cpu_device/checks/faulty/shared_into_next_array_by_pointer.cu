// expect: error shared-out-of-bounds [A]
// A device function sums 65 values of an array of 64 through a pointer: it reads the first element
// of the array behind, which is initialised.
#include "../device_array.h"

__device__ int sum(const int* values, int n) {
  int total = 0;
  for (int i = 0; i < n; ++i) {
    total += values[i];  // [A]
  }
  return total;
}

__global__ void sums(int* out, int n) {
  __shared__ int first[64];
  __shared__ int second[64];
  first[threadIdx.x] = threadIdx.x;
  second[threadIdx.x] = 1000 + threadIdx.x;
  __syncthreads();
  if (threadIdx.x == 0) out[0] = sum(first, n);
  if (threadIdx.x == 32) out[1] = sum(second, n);
}

int main() {
  DeviceArray<int> out(2);
  sums<<<1, 64>>>(out, 65);
  return finish();
}
