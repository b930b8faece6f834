// expect: error shared-out-of-bounds [A]
// A device template takes the tile by reference; its loop runs over the padded width, which the
// tile lacks.
#include "../device_array.h"

template <int ROWS, int COLS>
__device__ float row_sum(const float (&tile)[ROWS][COLS], int row, int width) {
  float sum = 0.0f;
  for (int k = 0; k < width; ++k) {
    sum += tile[row][k];  // [A]
  }
  return sum;
}

__global__ void row_sums(float* out, int width) {
  __shared__ float tile[8][32];
  for (int i = threadIdx.x; i < 8 * 32; i += blockDim.x) tile[i / 32][i % 32] = i;
  __syncthreads();
  if (threadIdx.x < 8) out[threadIdx.x] = row_sum(tile, threadIdx.x, width);
}

int main() {
  DeviceArray<float> out(8);
  row_sums<<<1, 64>>>(out, 33);
  return finish();
}
