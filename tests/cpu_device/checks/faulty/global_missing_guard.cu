// expect: error global-out-of-bounds [A]
// 128 threads for 100 elements without a guard, reads and writes. cudaMalloc rounds 400 bytes up to
// 512, so nothing crashes and the first 100 results are right.
#include "../device_array.h"

__global__ void scale(const float* in, float* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = 2.0f * in[i];  // [A]
}

int main() {
  DeviceArray<float> in(100), out(100);
  scale<<<1, 128>>>(in, out);
  return finish();
}
