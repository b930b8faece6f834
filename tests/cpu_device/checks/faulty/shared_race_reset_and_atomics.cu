// expect: error shared-race [A] [B]
// allow: error uninitialised-shared [B]
// Thread 0 clears a counter with a plain write while the others already count with atomics.
#include "../device_array.h"

__global__ void count(const int* in, int* out) {
  __shared__ int counter;
  if (threadIdx.x == 0) {
    counter = 0;  // [A]
  }
  if (in[threadIdx.x] == 0) {
    atomicAdd(&counter, 1);  // [B]
  }
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = counter;
}

int main() {
  DeviceArray<int> in(128), out(1);
  count<<<1, 128>>>(in, out);
  return finish();
}
