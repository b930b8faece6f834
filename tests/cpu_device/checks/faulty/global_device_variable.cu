// expect: error global-out-of-bounds [A]
// A __device__ table of 10 entries is read at index 10: the next variable lies there, no fault.
#include "../device_array.h"

__device__ int table[10] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3};
__device__ int other[10] = {2, 7, 1, 8, 2, 8, 1, 8, 2, 8};

__global__ void look_up(const int* keys, int* out) {
  const int key = keys[threadIdx.x] + threadIdx.x % 11;
  out[threadIdx.x] = table[key];  // [A]
  out[threadIdx.x] += other[0];
}

int main() {
  DeviceArray<int> keys(64), out(64);
  look_up<<<1, 64>>>(keys, out);
  return finish();
}
