// The lanes of a branch form a group, elect a leader and share its value.
#include <cooperative_groups.h>

#include "../device_vector.h"

namespace cg = cooperative_groups;

__global__ void draw_tickets(int* counter, int* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (threadIdx.x % 4 == 1) {
    const cg::coalesced_group active = cg::coalesced_threads();
    int first = 0;
    if (active.thread_rank() == 0) first = atomicAdd(counter, static_cast<int>(active.size()));
    out[i] = active.shfl(first, 0) + active.thread_rank();
  }
}

int main() {
  DeviceVector<int> counter(std::vector<int>(1, 0)), out(std::vector<int>(128, -1));
  draw_tickets<<<2, 64>>>(counter, out);
  CHECK_LAUNCH();
  CHECK_EQ(counter.host()[0], 32);
  int sum = 0;
  for (int ticket : out.host()) sum += ticket;
  CHECK_EQ(sum, 31 * 32 / 2 - 96);
  return check_result();
}
