// expect: error shared-race [A] [B]
// A stencil replaces its tile in place, with a barrier after each step only: neighbours in other
// warps are old or new.
#include "../device_array.h"

__global__ void relax(float* out, int steps) {
  __shared__ float tile[18][18];
  const int x = threadIdx.x + 1, y = threadIdx.y + 1;
  for (int i = threadIdx.y * 16 + threadIdx.x; i < 18 * 18; i += 256) tile[i / 18][i % 18] = i;
  __syncthreads();
  for (int step = 0; step < steps; ++step) {
    const float around = tile[y - 1][x] + tile[y + 1][x] + tile[y][x - 1] + tile[y][x + 1];  // [A]
    tile[y][x] = 0.25f * around + 1.0f;                                                      // [B]
    __syncthreads();
  }
  out[threadIdx.y * 16 + threadIdx.x] = tile[y][x];
}

int main() {
  DeviceArray<float> out(256);
  relax<<<1, dim3(16, 16)>>>(out, 3);
  return finish();
}
