// Compile-time recursion, if constexpr and #pragma unroll in kernels: register tiles and
// polynomials by templates.
#include <cuda_runtime.h>

#include "check.h"

template <int N>
struct Power {
  __host__ __device__ static int of(int x) { return x * Power<N - 1>::of(x); }
};
template <>
struct Power<0> {
  __host__ __device__ static int of(int) { return 1; }
};

template <int I, int N>
__device__ __forceinline__ void add_terms(int x, int& sum) {
  if constexpr (I < N) {
    sum += Power<I>::of(x);
    add_terms<I + 1, N>(x, sum);
  }
}

template <int ROWS, int COLS>
__global__ void outer_products(const int* a, const int* b, int* out, int depth) {
  int tile_reg[ROWS][COLS] = {};
#pragma unroll 1
  for (int k = 0; k < depth; ++k) {
    int a_reg[ROWS], b_reg[COLS];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) a_reg[r] = a[k * ROWS * blockDim.x + threadIdx.x * ROWS + r];
#pragma unroll
    for (int c = 0; c < COLS; ++c) b_reg[c] = b[k * COLS + c];
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
#pragma unroll
      for (int c = 0; c < COLS; ++c) tile_reg[r][c] += a_reg[r] * b_reg[c];
  }
#pragma unroll
  for (int r = 0; r < ROWS; ++r)
    for (int c = 0; c < COLS; ++c) out[(threadIdx.x * ROWS + r) * COLS + c] = tile_reg[r][c];
}

__global__ void polynomial(int* out) {
  int sum = 0;
  add_terms<0, 5>(threadIdx.x, sum);
  out[threadIdx.x] = sum;
}

int main() {
  constexpr int kRows = 4, kCols = 3;
  const int threads = 32, depth = 10, rows = threads * kRows;
  std::vector<int> a(depth * rows), b(depth * kCols);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<int>(i % 19) - 9;
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<int>(i % 7) - 3;
  int *d_a = upload(a), *d_b = upload(b);
  int* d_out = upload(std::vector<int>(rows * kCols, -1));
  outer_products<kRows, kCols><<<1, threads>>>(d_a, d_b, d_out, depth);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, rows * kCols);
  for (int row = 0; row < rows; ++row) {
    for (int col = 0; col < kCols; ++col) {
      int expected = 0;
      for (int k = 0; k < depth; ++k) expected += a[k * rows + row] * b[k * kCols + col];
      CHECK_EQ(out[row * kCols + col], expected);
    }
  }
  polynomial<<<1, 32>>>(d_out);
  CHECK_LAUNCH();
  out = download(d_out, 32);
  for (int x = 0; x < 32; ++x) CHECK_EQ(out[x], 1 + x + x * x + x * x * x + x * x * x * x);
  CHECK_CUDA(cudaFree(d_a));
  CHECK_CUDA(cudaFree(d_b));
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
