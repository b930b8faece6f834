// expect: error divergent-barrier [A] [B]
// A barrier stands behind a condition on the column: half of each warp of a 2-D block goes to the
// next barrier instead.
#include "../device_array.h"

__device__ void wait_for_tile(bool is_loader) {
  if (is_loader) __syncthreads();  // [A]
}

__global__ void load(float* out) {
  const int i = threadIdx.y * blockDim.x + threadIdx.x;
  wait_for_tile(threadIdx.x < 8);
  out[i] = 1.0f;
  __syncthreads();  // [B]
}

int main() {
  DeviceArray<float> out(128);
  load<<<1, dim3(16, 8)>>>(out);
  return finish();
}
