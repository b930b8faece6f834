// Half a warp works on shared memory and synchronises with a mask of 16 lanes.
#include "../device_vector.h"

__global__ void reverse_halves(int* out) {
  __shared__ int slots[64];
  const int t = threadIdx.x, lane = t % 32;
  if (lane < 16) {
    slots[t] = t;
    __syncwarp(0x0000ffff);
    out[t] = slots[t / 32 * 32 + 15 - lane];
  } else {
    slots[t] = 10 * t;
    __syncwarp(0xffff0000);
    out[t] = slots[t / 32 * 32 + 47 - lane];
  }
}

int main() {
  DeviceVector<int> out(64);
  reverse_halves<<<1, 64>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 64; ++i) {
    const int lane = i % 32, base = i - lane;
    CHECK_EQ(seen[i], lane < 16 ? base + 15 - lane : 10 * (base + 47 - lane));
  }
  return check_result();
}
