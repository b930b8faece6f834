// expect: error uninitialised-global [A]
// The output is accumulated into and was never cleared; fresh memory of a GPU is often zero.
#include "../device_array.h"

__global__ void axpy(float a, const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += a * x[i];  // [A]
}

int main() {
  DeviceArray<float> x(100), y(100, Fill::kNone);
  axpy<<<2, 64>>>(2.0f, x, y, 100);
  return finish();
}
