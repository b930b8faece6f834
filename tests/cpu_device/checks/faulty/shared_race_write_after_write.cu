// expect: error shared-race [A] [A]
// Two warps write the same 32 slots; the last one wins, in program order always the same.
#include "../device_array.h"

__global__ void fold(int* out) {
  __shared__ int slots[32];
  slots[threadIdx.x % 32] = 3 * threadIdx.x + 1;  // [A]
  __syncthreads();
  out[threadIdx.x] = slots[threadIdx.x % 32];
}

int main() {
  DeviceArray<int> out(64);
  fold<<<1, 64>>>(out);
  return finish();
}
