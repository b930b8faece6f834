// expect: error shared-race [A] [B]
// A double is written by one warp while another replaces its upper word.
#include "../device_array.h"

__global__ void flip_signs(double* out) {
  __shared__ double values[32];
  const int t = threadIdx.x;
  unsigned* const words = reinterpret_cast<unsigned*>(values);
  if (t < 32) {
    values[t] = 1.5 + t;  // [A]
  } else {
    words[2 * (t - 32) + 1] = 0x80000000u + t;  // [B]
  }
  __syncthreads();
  if (t < 32) out[t] = values[t];
}

int main() {
  DeviceArray<double> out(32);
  flip_signs<<<1, 64>>>(out);
  return finish();
}
