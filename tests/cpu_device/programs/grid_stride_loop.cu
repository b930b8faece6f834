// A grid-stride loop covers any n with any launch; a wrong gridDim or blockDim skips or repeats
// elements.
#include <cuda_runtime.h>

#include "check.h"

__global__ void saxpy(int n, float a, const float* x, float* y) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) {
    y[i] = a * x[i] + y[i];
  }
}

int main() {
  const int n = 10007;
  std::vector<float> x(n), y(n);
  for (int i = 0; i < n; ++i) {
    x[i] = static_cast<float>(i % 97);
    y[i] = static_cast<float>(i % 13);
  }
  const int launches[][2] = {{1, 1}, {1, 32}, {3, 96}, {7, 128}, {64, 256}};
  for (const auto& launch : launches) {
    float* d_x = upload(x);
    float* d_y = upload(y);
    saxpy<<<launch[0], launch[1]>>>(n, 2.0f, d_x, d_y);
    CHECK_LAUNCH();
    std::vector<float> result = download(d_y, n);
    for (int i = 0; i < n; ++i) CHECK_EQ(result[i], 2.0f * x[i] + y[i]);
    CHECK_CUDA(cudaFree(d_x));
    CHECK_CUDA(cudaFree(d_y));
  }
  return check_result();
}
