// expect: error global-out-of-bounds [A]
// The faulty line stands in a device function two calls below the kernel, behind a pointer in a
// struct that is passed by value.
#include "../device_array.h"

struct Matrix {
  float* data;
  int rows, cols;
};

__device__ float element(const Matrix& m, int row, int col) {
  return m.data[row * m.cols + col];  // [A]
}

__device__ float below(const Matrix& m, int row, int col) { return element(m, row + 1, col); }

__global__ void vertical_difference(Matrix in, Matrix out) {
  const int row = blockIdx.x, col = threadIdx.x;
  if (col >= in.cols) return;
  out.data[row * out.cols + col] = below(in, row, col) - element(in, row, col);
}

int main() {
  DeviceArray<float> in(5 * 50), out(5 * 50);
  vertical_difference<<<5, 64>>>(Matrix{in, 5, 50}, Matrix{out, 5, 50});
  return finish();
}
