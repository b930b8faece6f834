// expect: error shared-out-of-bounds [A]
// A row of the tile has 16 columns and column 16 is read: it is column 0 of the next row, inside
// the array as a whole.
#include "../device_array.h"

__global__ void smooth(float* out) {
  __shared__ float tile[17][16];
  tile[threadIdx.y][threadIdx.x] = threadIdx.y + threadIdx.x;
  if (threadIdx.y == 0) tile[16][threadIdx.x] = 0.0f;
  __syncthreads();
  const float right = tile[threadIdx.y][threadIdx.x + 1];  // [A]
  out[threadIdx.y * 16 + threadIdx.x] = right;
}

int main() {
  DeviceArray<float> out(256);
  smooth<<<1, dim3(16, 16)>>>(out);
  return finish();
}
