// expect: error global-out-of-bounds [A]
// A loop writes 12 elements through a pointer to a __device__ array of 10: its bound is not known
// where the access stands.
#include "../device_array.h"

__device__ float bias[10];

__device__ void set_all(float* values, int n, float value) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    values[i] = value;  // [A]
  }
}

__global__ void reset(float* out, int n) {
  set_all(bias, n, 0.5f);
  __syncthreads();
  out[threadIdx.x] = bias[threadIdx.x % 10];
}

int main() {
  DeviceArray<float> out(32);
  reset<<<1, 32>>>(out, 12);
  return finish();
}
