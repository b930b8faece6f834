// A struct on the device points to arrays on the device.
#include "../device_vector.h"

struct Matrix {
  const double* values;
  double* row_sums;
  int rows, cols;
};

__global__ void sum_rows(const Matrix* matrices) {
  const Matrix& m = matrices[blockIdx.x];
  const int row = threadIdx.y * blockDim.x + threadIdx.x;
  if (row >= m.rows) return;
  double sum = 0.0;
  for (int c = 0; c < m.cols; ++c) sum += m.values[row * m.cols + c];
  m.row_sums[row] = sum;
}

int main() {
  DeviceVector<double> a(std::vector<double>(20 * 3, 1.0)), b(std::vector<double>(5 * 8, 2.0));
  DeviceVector<double> a_sums(20), b_sums(5);
  DeviceVector<Matrix> matrices(std::vector<Matrix>{{a, a_sums, 20, 3}, {b, b_sums, 5, 8}});
  sum_rows<<<2, dim3(8, 4)>>>(matrices);
  CHECK_LAUNCH();
  for (double sum : a_sums.host()) CHECK_EQ(sum, 3.0);
  for (double sum : b_sums.host()) CHECK_EQ(sum, 16.0);
  return check_result();
}
