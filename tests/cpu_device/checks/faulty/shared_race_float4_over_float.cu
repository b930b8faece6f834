// expect: error shared-race [A] [B]
// A float4 store covers four words; another warp reads the last of them as a float.
#include "../device_array.h"

__global__ void spread(float* out) {
  __shared__ float4 quads[64];
  const int t = threadIdx.x;
  quads[t] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  __syncthreads();
  if (t < 32) {
    quads[t] = make_float4(t, t + 1.0f, t + 2.0f, t + 3.0f);  // [A]
  } else {
    const float* words = reinterpret_cast<const float*>(quads);
    out[t] = words[4 * (t - 32) + 3];  // [B]
  }
}

int main() {
  DeviceArray<float> out(64);
  spread<<<1, 64>>>(out);
  return finish();
}
