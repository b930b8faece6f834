// expect: error local-out-of-bounds [A]
// A 2 x 4 table in a device function template is read in column 4, which is the next row.
#include "../device_array.h"

template <int COLS>
__device__ int weight(int row, int col) {
  int table[2][COLS];
  for (int k = 0; k < COLS; ++k) {
    table[0][k] = k + row;
    table[1][k] = 10 * k + row;
  }
  return table[row][col];  // [A]
}

__global__ void weights(int* out, int cols) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = weight<4>(0, i % cols);
}

int main() {
  DeviceArray<int> out(64);
  weights<<<2, 32>>>(out, 5);
  return finish();
}
