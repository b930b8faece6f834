// expect: error global-race [A] [B]
// A transposition through a shared tile, in place: block (0, 1) writes where block (1, 0) reads.
#include "../device_array.h"

__global__ void transpose(float* matrix, int n) {
  __shared__ float tile[8][9];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int x = blockIdx.x * 8 + tx, y = blockIdx.y * 8 + ty;
  tile[ty][tx] = matrix[y * n + x] + x + n * y + 1;  // [A]
  __syncthreads();
  matrix[(blockIdx.x * 8 + ty) * n + blockIdx.y * 8 + tx] = tile[tx][ty];  // [B]
}

int main() {
  DeviceArray<float> matrix(16 * 16);
  transpose<<<dim3(2, 2), dim3(8, 8)>>>(matrix, 16);
  return finish();
}
