// A lock of atomicCAS, fences and atomicExch protects a plain counter in global memory.
#include "../device_vector.h"

__device__ int mutex = 0;

__global__ void add_up(volatile long long* sum, int rounds) {
  if (threadIdx.x != 0) return;
  for (int r = 0; r < rounds; ++r) {
    while (atomicCAS(&mutex, 0, 1) != 0) {
    }
    __threadfence();
    *sum = *sum + blockIdx.x;
    __threadfence();
    atomicExch(&mutex, 0);
  }
}

int main() {
  DeviceVector<long long> sum(std::vector<long long>(1, 0));
  add_up<<<10, 32>>>(sum, 6);
  CHECK_LAUNCH();
  CHECK_EQ(sum.host()[0], 6ll * 45);
  return check_result();
}
