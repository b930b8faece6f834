// expect: error uninitialised-shared [A]
// A stencil with diagonal neighbours loads the four edges of its halo and forgets the corners.
#include "../device_array.h"

constexpr int kTile = 8;

__global__ void blur(const float* in, float* out, int n) {
  __shared__ float tile[kTile + 2][kTile + 2];
  const int tx = threadIdx.x + 1, ty = threadIdx.y + 1;
  const int x = blockIdx.x * kTile + tx, y = blockIdx.y * kTile + ty;
  tile[ty][tx] = in[y * n + x];
  if (tx == 1) tile[ty][0] = in[y * n + x - 1];
  if (tx == kTile) tile[ty][kTile + 1] = in[y * n + x + 1];
  if (ty == 1) tile[0][tx] = in[(y - 1) * n + x];
  if (ty == kTile) tile[kTile + 1][tx] = in[(y + 1) * n + x];
  __syncthreads();
  float sum = 0.0f;
  for (int dy = -1; dy <= 1; ++dy) {
    for (int dx = -1; dx <= 1; ++dx) {
      sum += tile[ty + dy][tx + dx];  // [A]
    }
  }
  out[y * n + x] = sum;
}

int main() {
  const int n = 2 * kTile + 2;
  DeviceArray<float> in(n * n), out(n * n);
  blur<<<dim3(2, 2), dim3(kTile, kTile)>>>(in, out, n);
  return finish();
}
