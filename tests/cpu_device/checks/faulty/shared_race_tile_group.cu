// expect: error shared-race [A] [B]
// allow: error uninitialised-shared [B]
// A group of 16 threads is synchronised where the whole block is meant.
#include <cooperative_groups.h>

#include "../device_array.h"

namespace cg = cooperative_groups;

__global__ void reverse(double* out) {
  __shared__ double values[64];
  const cg::thread_block block = cg::this_thread_block();
  const auto tile = cg::tiled_partition<16>(block);
  values[block.thread_rank()] = 0.5 * threadIdx.x;  // [A]
  tile.sync();
  out[threadIdx.x] = values[63 - threadIdx.x];  // [B]
}

int main() {
  DeviceArray<double> out(64);
  reverse<<<1, 64>>>(out);
  return finish();
}
