// expect-none: global-race
// Blocks interleave in one array of bytes: every 32-bit word has four writers in four blocks.
#include "../device_vector.h"

__global__ void interleave(const unsigned char* in, unsigned char* out) {
  const int i = 4 * threadIdx.x + blockIdx.x;
  out[i] = static_cast<unsigned char>(in[i] + 1);
}

int main() {
  DeviceVector<unsigned char> in(iota<unsigned char>(128)), out(128);
  interleave<<<4, 32>>>(in, out);
  CHECK_LAUNCH();
  const std::vector<unsigned char> seen = out.host();
  for (int i = 0; i < 128; ++i) CHECK_EQ(static_cast<int>(seen[i]), i + 1);
  return check_result();
}
