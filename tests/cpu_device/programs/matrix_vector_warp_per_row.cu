// Matrix times vector with one warp per row, several rows per block, and warps without a row.
#include <cuda_runtime.h>

#include "check.h"

__global__ void matvec(
    const float* __restrict__ A, const float* __restrict__ x, float* __restrict__ y, int rows,
    int cols) {
  const int row = (blockIdx.x * blockDim.x + threadIdx.x) / warpSize;
  const int lane = threadIdx.x % warpSize;
  if (row >= rows) return;  // whole warps
  float sum = 0.0f;
  for (int col = lane; col < cols; col += warpSize) sum = fmaf(A[row * cols + col], x[col], sum);
  for (int offset = warpSize / 2; offset > 0; offset >>= 1) {
    sum += __shfl_down_sync(0xffffffffu, sum, offset);
  }
  if (lane == 0) y[row] = sum;
}

int main() {
  const int shapes[][2] = {{1, 1}, {7, 31}, {8, 32}, {33, 100}, {100, 257}};
  for (const auto& shape : shapes) {
    const int rows = shape[0], cols = shape[1];
    std::vector<float> A(rows * cols), x(cols);
    for (int i = 0; i < rows * cols; ++i) A[i] = static_cast<float>(i % 15 - 7);
    for (int i = 0; i < cols; ++i) x[i] = static_cast<float>(i % 9 - 4);
    float* d_A = upload(A);
    float* d_x = upload(x);
    float* d_y = upload(std::vector<float>(rows, NAN));
    const int warps_per_block = 4;
    matvec<<<(rows + warps_per_block - 1) / warps_per_block, 32 * warps_per_block>>>(
        d_A, d_x, d_y, rows, cols);
    CHECK_LAUNCH();
    std::vector<float> y = download(d_y, rows);
    for (int row = 0; row < rows; ++row) {
      float expected = 0.0f;
      for (int col = 0; col < cols; ++col) expected += A[row * cols + col] * x[col];
      CHECK_EQ(y[row], expected);
    }
    CHECK_CUDA(cudaFree(d_A));
    CHECK_CUDA(cudaFree(d_x));
    CHECK_CUDA(cudaFree(d_y));
  }
  return check_result();
}
