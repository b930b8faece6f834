// expect: error uninitialised-shared [A]
// Threads past the end leave their slot of the tile empty, and the sum runs over the whole tile.
// Slots of a full block before it on the same SM hold small numbers: nearly right.
#include "../device_array.h"

__global__ void block_sums(const float* in, float* out, int n) {
  __shared__ float tile[64];
  const int i = blockIdx.x * 64 + threadIdx.x;
  if (i < n) tile[threadIdx.x] = in[i];
  __syncthreads();
  if (threadIdx.x == 0) {
    float sum = 0.0f;
    for (int k = 0; k < 64; ++k) {
      sum += tile[k];  // [A]
    }
    out[blockIdx.x] = sum;
  }
}

int main() {
  DeviceArray<float> in(150), out(3);
  block_sums<<<3, 64>>>(in, out, 150);
  return finish();
}
