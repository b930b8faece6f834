// Bit-fields that share a word belong to one thread; setting one reads the others, which were
// cleared.
#include "../device_vector.h"

struct Flags {
  unsigned kind : 5;
  unsigned level : 9;
  unsigned valid : 1;
};

__global__ void set(unsigned* out) {
  __shared__ Flags flags[64];
  const int t = threadIdx.x;
  flags[t] = Flags{0, 0, 0};
  flags[t].kind = t % 32;
  flags[t].level = 3 * t;
  flags[t].valid = 1;
  __syncthreads();
  const Flags other = flags[63 - t];
  out[t] = other.kind + other.level + other.valid;
}

int main() {
  DeviceVector<unsigned> out(64);
  set<<<1, 64>>>(out);
  CHECK_LAUNCH();
  const std::vector<unsigned> seen = out.host();
  for (unsigned t = 0; t < 64; ++t) CHECK_EQ(seen[t], (63 - t) % 32 + 3 * (63 - t) + 1);
  return check_result();
}
