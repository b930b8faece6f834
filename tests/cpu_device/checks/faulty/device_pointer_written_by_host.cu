// expect: error device-pointer-in-host [A]
// The host fills device memory in a loop.
#include "../device_array.h"

__global__ void increment(float* values) { values[threadIdx.x] += 1.0f; }

void fill(float* values, int n, float value) {
  for (int i = 0; i < n; ++i) {
    values[i] = value + static_cast<float>(i * i);  // [A]
  }
}

int main() {
  DeviceArray<float> values(64);
  fill(values, 64, 3.0f);
  increment<<<1, 64>>>(values);
  return finish();
}
