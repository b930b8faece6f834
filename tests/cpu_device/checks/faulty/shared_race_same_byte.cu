// expect: error shared-race [A] [A]
// Flags are bytes, and two warps write the same byte; writes to neighbouring bytes would be fine.
#include "../device_array.h"

__global__ void mark(int* out) {
  __shared__ unsigned char owner[16];
  owner[threadIdx.x / 4 % 16] = static_cast<unsigned char>(threadIdx.x + 1);  // [A]
  __syncthreads();
  out[threadIdx.x] = owner[threadIdx.x % 16];
}

int main() {
  DeviceArray<int> out(128);
  mark<<<1, 128>>>(out);
  return finish();
}
