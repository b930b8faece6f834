// expect: error global-race [A] [B]
// A stencil updates its input in place. Inside a block a barrier separates reads from writes; the
// neighbour across the block's border has no such order.
#include "../device_array.h"

__global__ void smooth(float* x, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  float left = 0.0f;
  if (i > 0 && i < n) {
    left = x[i - 1];  // [A]
  }
  __syncthreads();
  if (i < n) {
    x[i] = 0.5f * left + i + 1.0f;  // [B]
  }
}

int main() {
  DeviceArray<float> x(300);
  smooth<<<5, 64>>>(x, 300);
  return finish();
}
