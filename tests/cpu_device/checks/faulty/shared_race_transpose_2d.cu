// expect: error shared-race [A] [B]
// allow: error uninitialised-shared [B]
// A 16 x 16 transposition without a barrier: in 2-D blocks a warp is two rows, so most reads cross
// warps.
#include "../device_array.h"

template <typename T, int N>
__global__ void transpose(const T* in, T* out) {
  __shared__ T tile[N][N + 1];
  const int x = threadIdx.x, y = threadIdx.y;
  tile[y][x] = in[y * N + x] + static_cast<T>(x - y);  // [A]
  out[y * N + x] = tile[x][y];                         // [B]
}

int main() {
  DeviceArray<double> in(256), out(256);
  transpose<double, 16><<<1, dim3(16, 16)>>>(in.get(), out.get());
  return finish();
}
