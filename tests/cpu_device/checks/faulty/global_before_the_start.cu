// expect: error global-out-of-bounds [A]
// The left neighbour of element 0 is read. Only thread 0 of block 0 does it, and the value that a
// GPU finds there is often 0, the right boundary value.
#include "../device_array.h"

__global__ void difference(const int* in, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  out[i] -= in[i - 1];  // [A]
}

int main() {
  DeviceArray<int> in(200), out(200);
  difference<<<4, 64>>>(in, out, 200);
  return finish();
}
