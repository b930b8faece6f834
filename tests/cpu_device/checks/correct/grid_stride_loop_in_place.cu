// A grid-stride loop reads and writes each element by one thread, in place; n is ragged.
#include "../device_vector.h"

template <typename T>
__global__ void square(T* values, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) {
    values[i] *= values[i];
  }
}

int main() {
  DeviceVector<double> values(iota<double>(1003));
  square<<<3, 64>>>(values.get(), 1003);
  CHECK_LAUNCH();
  const std::vector<double> seen = values.host();
  for (int i = 0; i < 1003; ++i) CHECK_EQ(seen[i], static_cast<double>(i) * i);
  return check_result();
}
