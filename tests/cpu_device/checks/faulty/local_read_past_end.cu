// expect: error local-out-of-bounds [A]
// A window of 8 values in a local array is read at index 8: some other local variable, no fault.
#include "../device_array.h"

__global__ void window_sum(const float* in, float* out, int width) {
  float window[8];
  for (int k = 0; k < 8; ++k) window[k] = in[threadIdx.x + k];
  float sum = 0.0f;
  for (int k = 0; k < width; ++k) {
    sum += window[(k + threadIdx.x) % width];  // [A]
  }
  out[threadIdx.x] = sum;
}

int main() {
  DeviceArray<float> in(40), out(32);
  window_sum<<<1, 32>>>(in, out, 9);
  return finish();
}
