// Block and tile groups synchronise shared memory.
#include <cooperative_groups.h>

#include "../device_vector.h"

namespace cg = cooperative_groups;

__global__ void exchange(int* out) {
  __shared__ int slots[64];
  const cg::thread_block block = cg::this_thread_block();
  const auto tile = cg::tiled_partition<16>(block);
  const int t = block.thread_rank();
  slots[t] = t;
  tile.sync();
  const int in_tile = slots[t / 16 * 16 + 15 - t % 16];
  block.sync();
  slots[t] = in_tile + tile.shfl(t, 3);
  block.sync();
  out[t] = slots[63 - t];
}

int main() {
  DeviceVector<int> out(64);
  exchange<<<1, 64>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 64; ++i) {
    const int t = 63 - i, base = t / 16 * 16;
    CHECK_EQ(seen[i], base + 15 - t % 16 + base + 3);
  }
  return check_result();
}
