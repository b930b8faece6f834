// expect: error global-race [A] [B]
// Block 0 publishes a scale in a __device__ variable and the other blocks read it in the same
// launch.
#include "../device_array.h"

__device__ float scale = 1.0f;

__global__ void apply(float* values) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i == 0) {
    scale = 2.0f;  // [A]
  }
  if (blockIdx.x > 0) {
    values[i] *= scale;  // [B]
  }
}

int main() {
  DeviceArray<float> values(8 * 32);
  apply<<<8, 32>>>(values);
  return finish();
}
