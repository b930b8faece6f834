// expect: error divergent-barrier [A] [B]
// Both branches wait, each at a barrier of its own. Hardware that counts arrivals goes on.
#include "../device_array.h"

__global__ void phases(int* out) {
  if (threadIdx.x < 32) {
    out[threadIdx.x] = 1;
    __syncthreads();  // [A]
  } else {
    out[threadIdx.x] = 2;
    __syncthreads();  // [B]
  }
}

int main() {
  DeviceArray<int> out(64);
  phases<<<1, 64>>>(out);
  return finish();
}
