// expect: error shared-race [A] [B]
// allow: error uninitialised-shared [B]
// The barrier is skipped where the tile is ragged: only the last of six blocks is wrong.
#include "../device_array.h"

__global__ void reverse_tiles(int* out, int n) {
  __shared__ int tile[64];
  const int first = blockIdx.x * 64, t = threadIdx.x;
  const int count = min(64, n - first);
  if (t < count) {
    tile[t] = first + t;  // [A]
  }
  if (count == 64) __syncthreads();
  if (t < count) {
    out[first + t] = tile[count - 1 - t];  // [B]
  }
}

int main() {
  const int n = 5 * 64 + 50;
  DeviceArray<int> out(n);
  reverse_tiles<<<6, 64>>>(out, n);
  return finish();
}
