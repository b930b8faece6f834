// One launch after the other changes the same elements, each time by other threads and blocks.
#include "../device_vector.h"

__global__ void add(int* values, int n, int shift) {
  const int i = (blockIdx.x * blockDim.x + threadIdx.x + shift) % n;
  values[i] = 2 * values[i] + 1;
}

int main() {
  DeviceVector<int> values(std::vector<int>(128, 0));
  for (int shift : {0, 32, 77, 5}) add<<<4, 32>>>(values, 128, shift);
  CHECK_LAUNCH();
  for (int value : values.host()) CHECK_EQ(value, 15);
  return check_result();
}
