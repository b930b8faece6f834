// Whole structs are copied in the kernel though their padding was never written: the copy takes
// the padding along, nobody uses it.
#include "../device_vector.h"

struct Pair {
  char key;
  int value;
};

__global__ void create(Pair* pairs) {
  pairs[threadIdx.x].key = static_cast<char>(threadIdx.x);
  pairs[threadIdx.x].value = 100 * threadIdx.x;
}

__global__ void reverse(const Pair* in, Pair* out, int* values) {
  const Pair pair = in[31 - threadIdx.x];
  out[threadIdx.x] = pair;
  values[threadIdx.x] = pair.key + pair.value;
}

int main() {
  DeviceVector<Pair> in(32), out(32);
  DeviceVector<int> values(32);
  create<<<1, 32>>>(in);
  reverse<<<1, 32>>>(in, out, values);
  CHECK_LAUNCH();
  const std::vector<Pair> pairs = out.host();
  const std::vector<int> seen = values.host();
  for (int i = 0; i < 32; ++i) {
    CHECK_EQ(seen[i], 101 * (31 - i));
    CHECK_EQ(pairs[i].value, 100 * (31 - i));
  }
  return check_result();
}
