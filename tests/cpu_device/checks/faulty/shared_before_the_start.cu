// expect: error shared-out-of-bounds [A]
// The lane left of lane 0 does not exist: in a 2-D block the index of thread (0, 0) becomes -1.
#include "../device_array.h"

__global__ void shift(float* out) {
  __shared__ float line[8 * 16];
  const int i = threadIdx.y * blockDim.x + threadIdx.x;
  line[i] = i + 0.5f;
  __syncthreads();
  out[i] += line[i - 1];  // [A]
}

int main() {
  DeviceArray<float> out(8 * 16);
  shift<<<1, dim3(16, 8)>>>(out);
  return finish();
}
