// expect: error shared-race [A] [B]
// allow: error uninitialised-shared [B]
// Nothing waits until the array is complete (read after write). Threads that run in order of their
// index, one after the other, may give right values for a shift to the left.
#include "../device_array.h"

__global__ void reverse(int* out) {
  __shared__ int values[128];
  values[threadIdx.x] = threadIdx.x + 1;         // [A]
  out[threadIdx.x] = values[127 - threadIdx.x];  // [B]
}

int main() {
  DeviceArray<int> out(128);
  reverse<<<1, 128>>>(out);
  return finish();
}
