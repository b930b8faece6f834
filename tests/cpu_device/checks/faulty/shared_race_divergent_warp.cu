// expect: error shared-race [A] [B]
// allow: error uninitialised-shared [B]
// The last warp computes a factor in a branch of its own; the others use it without waiting.
#include "../device_array.h"

__global__ void normalise(const float* in, float* out) {
  __shared__ float factor;
  if (threadIdx.x / 32 == 3) {
    if (threadIdx.x % 32 == 5) {
      factor = 1.0f / (1.0f + in[threadIdx.x]);  // [A]
    }
  } else {
    out[threadIdx.x] = in[threadIdx.x] * factor;  // [B]
  }
}

int main() {
  DeviceArray<float> in(128), out(128);
  normalise<<<1, 128>>>(in, out);
  return finish();
}
