// A launch with one argument too few: the error lies at the launch.
// expect: wrong_argument_count.cu:13
#include <cuda_runtime.h>

__global__ void saxpy(int n, float a, const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += a * x[i];
}

int main() {
  float* x = nullptr;
  saxpy<<<4, 256>>>(1000, 2.0f, x, x);
  saxpy<<<4, 256>>>(1000, 2.0f, x);
  return 0;
}
