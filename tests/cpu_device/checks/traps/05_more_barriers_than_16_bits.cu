// 70,000 barriers in one block, more than 16 bits count: intervals that are far apart must not look like one.
#include "counted.h"

__global__ void take_turns(int* out) {
  __shared__ int value;
  if (threadIdx.x == 0) value = 0;
  for (int n = 0; n < 70000; ++n) {
    __syncthreads();
    if (n % 65536 == static_cast<int>(threadIdx.x)) value += 1;
  }
  __syncthreads();
  if (threadIdx.x == 0) *out = value;
}

int main() {
  DeviceVector<int> out(1);
  cpuDeviceSetCounting(1);
  take_turns<<<1, 4>>>(out);
  CHECK_LAUNCH();
  CHECK_EQ(out.host()[0], 8);
  CHECK_EQ(last_launch().barriers, 70001u);
  return check_result();
}
