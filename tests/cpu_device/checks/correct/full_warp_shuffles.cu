// All variants of shuffles in full warps, with widths below 32.
#include "../device_vector.h"

__global__ void shuffle(int* out) {
  const int t = threadIdx.x;
  int value = __shfl_sync(0xffffffff, t, 5, 8);
  value += __shfl_up_sync(0xffffffff, t, 1, 16);
  value += __shfl_down_sync(0xffffffff, t, 3);
  value += __shfl_xor_sync(0xffffffff, t, 31);
  out[t] = value;
}

int main() {
  DeviceVector<int> out(64);
  shuffle<<<1, 64>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int t = 0; t < 64; ++t) {
    const int lane = t % 32, base = t - lane;
    int expected = t / 8 * 8 + 5;
    expected += t % 16 == 0 ? t : t - 1;
    expected += lane + 3 < 32 ? t + 3 : t;
    expected += base + (lane ^ 31);
    CHECK_EQ(seen[t], expected);
  }
  return check_result();
}
