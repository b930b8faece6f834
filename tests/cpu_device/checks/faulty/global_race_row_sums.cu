// expect: error global-race [A] [A]
// Several blocks share a row of the matrix and add their part to the row's sum without atomics.
#include "../device_array.h"

struct Matrix {
  const double* values;
  double* row_sums;
  int cols;
};

__global__ void add_rows(Matrix m) {
  const int row = blockIdx.y;
  double part = 0.0;
  for (int c = blockIdx.x; c < m.cols; c += gridDim.x) part += m.values[row * m.cols + c] + c;
  if (threadIdx.x == 0) {
    m.row_sums[row] += part;  // [A]
  }
}

int main() {
  DeviceArray<double> values(3 * 40), row_sums(3);
  add_rows<<<dim3(4, 3), 32>>>(Matrix{values, row_sums, 40});
  return finish();
}
