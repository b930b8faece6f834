// Shuffles in both branches of a divergent warp, each with the mask of its own lanes; the last
// warp has 20 threads.
#include "../device_vector.h"

__global__ void shuffle(int* out) {
  const int t = threadIdx.x, lane = t % 32;
  const unsigned all = t < 32 ? 0xffffffffu : 0x000fffffu;
  const unsigned odd = __ballot_sync(all, t % 2 == 1);
  if (t % 2 == 1) {
    out[t] = __shfl_sync(odd, t, 1) + __popc(odd);
  } else {
    out[t] = __shfl_xor_sync(all & ~odd, t, lane < 16 ? 2 : 0);
  }
}

int main() {
  DeviceVector<int> out(52);
  shuffle<<<1, 52>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int t = 0; t < 52; ++t) {
    const int lane = t % 32, base = t - lane;
    const int even = base + (lane < 16 ? lane ^ 2 : lane);
    CHECK_EQ(seen[t], t % 2 == 1 ? base + 1 + (t < 32 ? 16 : 10) : even);
  }
  return check_result();
}
