// expect: error global-out-of-bounds [A]
// The guard lets one thread too many write. 64 floats fill a rounded allocation exactly: on a GPU
// the write changes the first element of the neighbour.
#include "../device_array.h"

__global__ void fill(float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) out[i] = static_cast<float>(i);  // [A]
}

int main() {
  DeviceArray<float> out(64), neighbour(64);
  fill<<<3, 32>>>(out, 64);
  return finish();
}
