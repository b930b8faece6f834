// expect-none: shared-race
// Threads of different warps write neighbouring bytes and shorts of one 32-bit word.
#include "../device_vector.h"

__global__ void bytes(int* out) {
  __shared__ unsigned char low[128];
  __shared__ unsigned short wide[128];
  const int t = threadIdx.x;
  const int slot = t % 32 * 4 + t / 32;  // the four bytes of a word belong to four warps
  low[slot] = static_cast<unsigned char>(t);
  wide[slot] = static_cast<unsigned short>(1000 + t);
  out[t] = low[slot] + wide[slot];
}

int main() {
  DeviceVector<int> out(128);
  bytes<<<1, 128>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int t = 0; t < 128; ++t) CHECK_EQ(seen[t], 1000 + 2 * t);
  return check_result();
}
