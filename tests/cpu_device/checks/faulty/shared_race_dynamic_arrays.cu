// expect: error shared-race [A] [B]
// allow: error uninitialised-shared [B]
// Two arrays in dynamic shared memory, one barrier; it stands before the second array is written.
#include "../device_array.h"

__global__ void exchange(int* out) {
  extern __shared__ int storage[];
  int* keys = storage;
  int* values = storage + blockDim.x;
  const int t = threadIdx.x, n = blockDim.x;
  keys[t] = n - 1 - t;
  __syncthreads();
  values[t] = 10 * t + 1;    // [A]
  out[t] = values[keys[t]];  // [B]
}

int main() {
  DeviceArray<int> out(96);
  exchange<<<2, 96, 2 * 96 * sizeof(int)>>>(out);
  return finish();
}
