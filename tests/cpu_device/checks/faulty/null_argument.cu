// expect: error null-pointer [A]
// An optional output is null and written without a test.
#include "../device_array.h"

__global__ void argmax(const float* in, float* maximum, int* index) {
  float best = in[0];
  int at = 0;
  for (int i = 1; i < 32; ++i) {
    if (in[i] > best) {
      best = in[i];
      at = i;
    }
  }
  *maximum = best;
  *index = at;  // [A]
}

int main() {
  DeviceArray<float> in(32), maximum(1);
  argmax<<<1, 1>>>(in, maximum, nullptr);
  return finish();
}
