// expect: error constant-out-of-bounds [A]
// A filter of 5 taps is applied with a radius for 7: constant memory behind it holds the next
// variable or zeros, and zero taps give the right result.
#include "../device_array.h"

__constant__ float filter[5] = {0.1f, 0.2f, 0.4f, 0.2f, 0.1f};

__global__ void convolve(const float* in, float* out, int n, int taps) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  float sum = 0.0f;
  for (int k = 0; k < taps; ++k) {
    const int j = i + k - taps / 2;
    const float value = j >= 0 && j < n ? in[j] : 0.0f;
    sum += value * filter[k];  // [A]
  }
  if (i < n) out[i] = sum;
}

int main() {
  DeviceArray<float> in(100), out(100);
  convolve<<<2, 64>>>(in, out, 100, 7);
  return finish();
}
