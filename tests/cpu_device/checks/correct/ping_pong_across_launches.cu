// Two buffers change roles from launch to launch: what one launch writes the next one reads.
#include <utility>

#include "../device_vector.h"

__global__ void step(const int* from, int* to, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) to[i] = from[(i + 1) % n] + 1;
}

int main() {
  const int n = 200;
  DeviceVector<int> a(iota<int>(n)), b(n);
  int *from = a, *to = b;
  for (int s = 0; s < 7; ++s) {
    step<<<4, 64>>>(from, to, n);
    std::swap(from, to);
  }
  CHECK_LAUNCH();
  const std::vector<int> seen = download(from, n);
  for (int i = 0; i < n; ++i) CHECK_EQ(seen[i], (i + 7) % n + 7);
  return check_result();
}
