// expect: error divergent-barrier [A] [B]
// The number of rounds depends on the warp: one waits in the loop, the others behind it.
#include "../device_array.h"

__global__ void rounds(int* out, int n) {
  const int mine = threadIdx.x / 32 == 1 ? n + 1 : n;
  for (int r = 0; r < mine; ++r) {
    out[threadIdx.x] += r;
    __syncthreads();  // [A]
  }
  out[threadIdx.x] += 1;
  __syncthreads();  // [B]
}

int main() {
  DeviceArray<int> out(96);
  rounds<<<1, 96>>>(out, 3);
  return finish();
}
