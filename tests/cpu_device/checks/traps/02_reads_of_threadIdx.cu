// threadIdx and its siblings are variables here, and reading them is no access of the program.
#include "counted.h"

__global__ void use(unsigned* out) {
  const uint3 index = threadIdx;
  const dim3 block = blockDim;
  unsigned sum = index.x + index.y * block.x + index.z * block.x * block.y;
  for (unsigned n = 0; n < gridDim.x; ++n) sum += blockIdx.x * blockDim.x * blockDim.y;
  out[blockIdx.x * blockDim.x * blockDim.y + threadIdx.y * blockDim.x + threadIdx.x] = sum;
}

int main() {
  DeviceVector<unsigned> out(128);
  cpuDeviceSetCounting(1);
  use<<<2, dim3(8, 8)>>>(out);
  CHECK_LAUNCH();
  CHECK_EQ(last_launch().global_load.accesses, 0u);
  CHECK_EQ(last_launch().shared_load.accesses, 0u);
  CHECK_EQ(last_launch().global_store.accesses, 128u);
  return check_result();
}
