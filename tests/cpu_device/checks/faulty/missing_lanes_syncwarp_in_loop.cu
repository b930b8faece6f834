// expect: error missing-lanes [A]
// allow: error divergent-barrier [A] [B]
// Lanes leave a loop at different rounds, and the loop has a __syncwarp for the whole warp.
#include "../device_array.h"

__global__ void uneven(int* out) {
  const int rounds = 1 + threadIdx.x % 4;
  int sum = 0;
  for (int r = 0; r < rounds; ++r) {
    sum += r;
    __syncwarp();  // [A]
  }
  __syncthreads();  // [B]
  out[threadIdx.x] = sum;
}

int main() {
  DeviceArray<int> out(32);
  uneven<<<1, 32>>>(out);
  return finish();
}
