// Blocks write disjoint parts of one allocation and read another part of it.
#include "../device_vector.h"

__global__ void scatter(int* data, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  data[n + (i * 37) % n] = data[i] + 1;
}

int main() {
  const int n = 128;
  DeviceVector<int> data(iota<int>(2 * n));
  scatter<<<4, 32>>>(data, n);
  CHECK_LAUNCH();
  const std::vector<int> seen = data.host();
  for (int i = 0; i < n; ++i) {
    CHECK_EQ(seen[i], i);
    CHECK_EQ(seen[n + i * 37 % n], i + 1);
  }
  return check_result();
}
