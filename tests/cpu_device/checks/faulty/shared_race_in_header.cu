// expect: error shared-race [A] [B]
// A helper in a header uses scratch memory and returns without a barrier; its second call
// overwrites what others still read. Each call alone is right.
#include "../device_array.h"
#include "shared_race_in_header.cuh"

__global__ void rotate_twice(float* out) {
  __shared__ float scratch[64];
  float value = threadIdx.x + 1.0f;
  value = rotate_by(scratch, value, 32);
  value = rotate_by(scratch, value + 100.0f, 1);
  out[threadIdx.x] = value;
}

int main() {
  DeviceArray<float> out(64);
  rotate_twice<<<1, 64>>>(out);
  return finish();
}
