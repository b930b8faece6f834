// expect: error read-only-write [A]
// The kernel scales its input in place; its caller wanted to keep it.
#include "../device_array.h"

__global__ void scale(float* values, float* out) {
  const int i = threadIdx.x;
  const float value = 2.0f * values[i];
  values[i] = value;  // [A]
  out[i] = value;
}

int main() {
  DeviceArray<float> values(64), out(64);
  mark_read_only(values.get(), 64 * sizeof(float));
  scale<<<1, 64>>>(values, out);
  return finish();
}
