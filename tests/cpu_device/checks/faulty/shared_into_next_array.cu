// expect: error shared-out-of-bounds [A]
// The first array's loop runs over the size of the second one; what it overwrites is shared memory
// of the same block.
#include "../device_array.h"

__global__ void load(const float* in, float* out, int n) {
  __shared__ float keys[32];
  __shared__ float values[48];
  values[threadIdx.x % 48] = 1.0f;
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    keys[i] = in[i] + 1.0f;  // [A]
  }
  __syncthreads();
  if (threadIdx.x < 32) out[threadIdx.x] = keys[threadIdx.x] * values[threadIdx.x];
}

int main() {
  DeviceArray<float> in(48), out(32);
  load<<<1, 48>>>(in, out, 48);
  return finish();
}
