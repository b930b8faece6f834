// expect: error shared-race [A] [B]
// A loop over tiles waits after the load, not before the next one: a fast warp overwrites the tile
// that a slow warp still reads (write after read). Right values when warps run in lockstep.
#include "../device_array.h"

__global__ void tile_sums(const int* in, int* out, int tiles) {
  __shared__ int tile[96];
  int sum = 0;
  for (int t = 0; t < tiles; ++t) {
    tile[threadIdx.x] = in[t * 96 + threadIdx.x] + t;  // [A]
    __syncthreads();
    sum += tile[(threadIdx.x + 32) % 96];  // [B]
  }
  out[threadIdx.x] = sum;
}

int main() {
  DeviceArray<int> in(5 * 96), out(96);
  tile_sums<<<1, 96>>>(in, out, 5);
  return finish();
}
