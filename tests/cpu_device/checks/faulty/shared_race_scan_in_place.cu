// expect: error shared-race [A] [B]
// An inclusive scan in place has one barrier per step where it needs two.
#include "../device_array.h"

__device__ void scan(int* values, int n) {
  const int t = threadIdx.x;
  for (int d = 1; d < n; d *= 2) {
    const int before = t >= d ? values[t - d] : 0;  // [A]
    values[t] += before;                            // [B]
    __syncthreads();
  }
}

__global__ void prefix_sums(int* out) {
  __shared__ int values[64];
  values[threadIdx.x] = threadIdx.x + 1;
  __syncthreads();
  scan(values, 64);
  out[threadIdx.x] = values[threadIdx.x];
}

int main() {
  DeviceArray<int> out(64);
  prefix_sums<<<1, 64>>>(out);
  return finish();
}
