// Row softmax by one block per row with maximum and sum reductions; masked entries are -INFINITY,
// and a row that is masked whole gives zeros instead of NaN.
#include <cuda_runtime.h>

#include "check.h"

constexpr int kThreads = 128;

struct Max {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};
struct Plus {
  __device__ float operator()(float a, float b) const { return a + b; }
};

template <typename Op>
__device__ float block_reduce(float value, Op op) {
  __shared__ float partial[kThreads];
  partial[threadIdx.x] = value;
  __syncthreads();
  for (int s = kThreads / 2; s > 0; s /= 2) {
    if (threadIdx.x < s) partial[threadIdx.x] = op(partial[threadIdx.x], partial[threadIdx.x + s]);
    __syncthreads();
  }
  const float result = partial[0];
  __syncthreads();  // everyone has the result before the array is used again
  return result;
}

__global__ void softmax(const float* in, float* out, int cols) {
  const float* row = in + blockIdx.x * cols;
  float maximum = -INFINITY;
  for (int c = threadIdx.x; c < cols; c += kThreads) maximum = fmaxf(maximum, row[c]);
  maximum = block_reduce(maximum, Max());
  float sum = 0.0f;
  if (maximum != -INFINITY) {
    for (int c = threadIdx.x; c < cols; c += kThreads) sum += expf(row[c] - maximum);
  }
  sum = block_reduce(sum, Plus());
  for (int c = threadIdx.x; c < cols; c += kThreads) {
    out[blockIdx.x * cols + c] = sum > 0.0f ? expf(row[c] - maximum) / sum : 0.0f;
  }
}

int main() {
  const int rows = 9, cols = 300;
  std::vector<float> in(rows * cols);
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) {
      float value = static_cast<float>((r * 31 + c * 17) % 41) / 4.0f - 5.0f;
      if (r == 1) value += 10000.0f;                // overflows without the maximum
      if (r == 2 && c % 3 != 0) value = -INFINITY;  // partly masked
      if (r == 3) value = -INFINITY;                // wholly masked
      if (r == 4 && c != 77) value = -INFINITY;     // one key left
      in[r * cols + c] = value;
    }
  }
  float* d_in = upload(in);
  float* d_out = upload(std::vector<float>(rows * cols, NAN));
  softmax<<<rows, kThreads>>>(d_in, d_out, cols);
  CHECK_LAUNCH();
  std::vector<float> out = download(d_out, rows * cols);
  for (int r = 0; r < rows; ++r) {
    double maximum = -INFINITY, sum = 0.0;
    for (int c = 0; c < cols; ++c) maximum = std::fmax(maximum, in[r * cols + c]);
    for (int c = 0; c < cols; ++c) sum += r == 3 ? 0.0 : std::exp(in[r * cols + c] - maximum);
    for (int c = 0; c < cols; ++c) {
      const double expected = r == 3 ? 0.0 : std::exp(in[r * cols + c] - maximum) / sum;
      CHECK_NEAR(out[r * cols + c], expected, 2e-6 * expected);
    }
  }
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
