// expect: error shared-race [A] [B]
// The block's maximum is read from slot 0 while the sum's first pass overwrites slot 0: softmax
// with one scratch array and one barrier too few.
#include "../device_array.h"

__global__ void softmax(const float* in, float* out) {
  __shared__ float scratch[64];
  const int t = threadIdx.x;
  scratch[t] = in[t] + 0.01f * t;
  __syncthreads();
  for (int s = 32; s > 0; s /= 2) {
    if (t < s) scratch[t] = fmaxf(scratch[t], scratch[t + s]);
    __syncthreads();
  }
  const float maximum = scratch[0];  // [A]
  const float p = expf(in[t] - maximum);
  scratch[t] = p + t;  // [B]
  __syncthreads();
  for (int s = 32; s > 0; s /= 2) {
    if (t < s) scratch[t] += scratch[t + s];
    __syncthreads();
  }
  out[t] = p / scratch[0];
}

int main() {
  DeviceArray<float> in(64), out(64);
  softmax<<<1, 64>>>(in, out);
  return finish();
}
