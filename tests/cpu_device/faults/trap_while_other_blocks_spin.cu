// One block traps while the others poll for a flag that only it would have set: the whole grid
// must end, not only the block, on any number of worker threads.
#include "fault.h"

__device__ int flag, started;

constexpr int kLine = __LINE__ + 4;
__global__ void broken() {
  if (blockIdx.x == 0) {
    for (int i = 0; i < 100000 && atomicAdd(&started, 0) < 3; ++i) __nanosleep(100);
    if (threadIdx.x == 3) __trap();
    __syncthreads();
    atomicExch(&flag, 1);
  } else if (threadIdx.x == 0) {
    atomicAdd(&started, 1);
    while (atomicAdd(&flag, 0) == 0) {
    }
  }
}

int main() {
#ifdef CPU_DEVICE
  cpuDeviceSetThreads(4);
#endif
  broken<<<4, 32>>>();
  CHECK_FAULT(cudaErrorLaunchFailure, SITE(kLine), "(3,0,0)", "(0,0,0)");
  return check_result();
}
