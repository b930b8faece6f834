// Each block waits for the one before it by an atomic flag and adds to its sum; blocks take their
// number from a ticket.
#include "../device_vector.h"

__device__ int next_block = 0;

__global__ void prefix(const int* in, int* sums, int* flags) {
  if (threadIdx.x != 0) return;
  const int block = atomicAdd(&next_block, 1);
  int before = 0;
  if (block > 0) {
    while (atomicAdd(&flags[block - 1], 0) == 0) {
    }
    __threadfence();
    before = sums[block - 1];
  }
  sums[block] = before + in[block];
  __threadfence();
  atomicExch(&flags[block], 1);
}

int main() {
  DeviceVector<int> in(iota<int>(30)), sums(30), flags(std::vector<int>(30, 0));
  prefix<<<30, 32>>>(in, sums, flags);
  CHECK_LAUNCH();
  const std::vector<int> seen = sums.host();
  for (int i = 0; i < 30; ++i) CHECK_EQ(seen[i], i * (i + 1) / 2);
  return check_result();
}
