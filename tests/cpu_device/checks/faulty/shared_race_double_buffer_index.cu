// expect: error shared-race [A] [B]
// A double buffer whose next tile goes into the buffer that is being read.
#include "../device_array.h"

__global__ void pipeline(const float* in, float* out, int tiles) {
  __shared__ float buffer[2][64];
  const int t = threadIdx.x;
  buffer[0][t] = in[t];
  buffer[1][t] = 0.0f;
  float sum = 0.0f;
  for (int i = 0; i < tiles; ++i) {
    __syncthreads();
    const int now = i & 1;
    if (i + 1 < tiles) {
      buffer[now][t] = in[(i + 1) * 64 + t] + i + 1;  // [A]
    }
    sum += buffer[now][63 - t];  // [B]
  }
  out[t] = sum;
}

int main() {
  DeviceArray<float> in(4 * 64), out(64);
  pipeline<<<1, 64>>>(in, out, 4);
  return finish();
}
