// expect: error shared-out-of-bounds [A]
// Two arrays are carved out of dynamic shared memory, the launch asks for the first one only. The
// memory behind exists on a GPU whenever another block or the rounding owns it.
#include "../device_array.h"

__global__ void reverse_and_scale(const float* in, float* out) {
  extern __shared__ float dynamic[];
  float* values = dynamic;
  float* factors = dynamic + blockDim.x;
  values[threadIdx.x] = in[threadIdx.x];
  factors[threadIdx.x] = 0.5f * threadIdx.x;  // [A]
  __syncthreads();
  out[threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

int main() {
  DeviceArray<float> in(64), out(64);
  reverse_and_scale<<<2, 64, 64 * sizeof(float)>>>(in, out);
  return finish();
}
