// The kernel writes every third element; the host copies all and looks at those only.
#include "../device_vector.h"

__global__ void every_third(int* out) { out[3 * threadIdx.x] = threadIdx.x; }

int main() {
  DeviceVector<int> out(96);
  every_third<<<1, 32>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 32; ++i) CHECK_EQ(seen[3 * i], i);
  return check_result();
}
