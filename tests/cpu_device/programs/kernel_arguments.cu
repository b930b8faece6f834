// Structs by value, NULL and nullptr, converted literals, and parameters changed inside the
// kernel: each thread has its own copy of the parameters, taken at the launch.
#include <cuda_runtime.h>

#include "check.h"

struct Shape {
  int rows, cols;
  float scale;
  double weights[3];
  char tag;
};

__global__ void by_value(Shape shape, float* out) {
  shape.rows += threadIdx.x;  // this thread's copy only
  shape.weights[1] *= 2.0;
  out[threadIdx.x] = shape.rows * shape.scale + shape.cols + static_cast<float>(shape.weights[1]) +
                     (shape.tag == 'x' ? 0.5f : 0.0f);
}

__global__ void optional(const float* bias, float* lse, float* out, int n) {
  out += blockIdx.x * n;  // pointer parameter moved
  while (n > 0) {
    --n;
    out[n] = n + (bias != nullptr ? bias[n] : 0.0f);
  }
  if (lse) *lse = 5.0f;
}

__global__ void conversions(
    float a, double b, unsigned char c, bool d, size_t e, const int f, float* out) {
  out[0] = a;
  out[1] = static_cast<float>(b);
  out[2] = c;
  out[3] = d;
  out[4] = static_cast<float>(e);
  out[5] = f;
}

struct Matrix {
  float* data;
  int stride;
  __device__ float& at(int row, int col) { return data[row * stride + col]; }
};

__global__ void set(Matrix m, dim3 where) { m.at(where.x, where.y) = where.z; }

int main() {
  float* d_out = upload(std::vector<float>(64, NAN));
  Shape shape = {2, 7, 1.5f, {1, 20, 3}, 'x'};
  by_value<<<1, 64>>>(shape, d_out);
  shape.rows = 1000;  // too late to matter
  CHECK_LAUNCH();
  std::vector<float> out = download(d_out, 64);
  for (int i = 0; i < 64; ++i) CHECK_EQ(out[i], (2 + i) * 1.5f + 7 + 40 + 0.5f);

  float* d_lse = upload(std::vector<float>(1, -1));
  float* d_bias = upload(std::vector<float>(8, 100.0f));
  optional<<<2, 1>>>(NULL, NULL, d_out, 8);
  optional<<<1, 1>>>(nullptr, d_lse, d_out + 16, 8);
  optional<<<1, 1>>>(d_bias, 0, d_out + 24, 8);
  CHECK_LAUNCH();
  out = download(d_out, 32);
  for (int i = 0; i < 32; ++i) CHECK_EQ(out[i], i % 8 + (i < 24 ? 0.0f : 100.0f));
  CHECK_EQ(download(d_lse, 1)[0], 5.0f);

  conversions<<<1, 1>>>(1, 2.5f, 'A', 7, 1 << 4, 'B' - 'A', d_out);
  set<<<1, 1>>>({d_out + 8, 4}, dim3(1, 2, 9));
  CHECK_LAUNCH();
  out = download(d_out, 16);
  const float expected[6] = {1.0f, 2.5f, 65.0f, 1.0f, 16.0f, 1.0f};
  for (int i = 0; i < 6; ++i) CHECK_EQ(out[i], expected[i]);
  CHECK_EQ(out[8 + 1 * 4 + 2], 9.0f);
  CHECK_CUDA(cudaFree(d_out));
  CHECK_CUDA(cudaFree(d_lse));
  CHECK_CUDA(cudaFree(d_bias));
  return check_result();
}
