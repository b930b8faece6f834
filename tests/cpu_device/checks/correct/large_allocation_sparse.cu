// A few words of a 2 GiB allocation are used: far behind 2^31 bytes and at its end.
#include "../device_vector.h"

__global__ void touch(unsigned* memory, size_t stride, unsigned* out) {
  memory[threadIdx.x * stride] = threadIdx.x + 1;
  memory[threadIdx.x * stride + stride - 1] = 2 * threadIdx.x;
  out[threadIdx.x] = memory[threadIdx.x * stride] + memory[threadIdx.x * stride + stride - 1];
}

int main() {
  const size_t words = (size_t{1} << 29) + 64;
  DeviceVector<unsigned> memory(words), out(64);
  touch<<<1, 64>>>(memory, words / 64, out);
  CHECK_LAUNCH();
  const std::vector<unsigned> seen = out.host();
  for (unsigned t = 0; t < 64; ++t) CHECK_EQ(seen[t], 3 * t + 1);
  return check_result();
}
