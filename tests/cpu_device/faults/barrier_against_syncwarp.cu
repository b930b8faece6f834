// The even lanes wait in a __syncwarp that names all lanes, the odd ones at __syncthreads, in a
// block of rows.
#include "fault.h"

constexpr int kSyncwarpLine = __LINE__ + 4;
constexpr int kBarrierLine = __LINE__ + 5;
__global__ void broken() {
  if (threadIdx.x % 2 == 0) {
    __syncwarp();
  } else {
    __syncthreads();
  }
}

int main() {
  broken<<<2, dim3(2, 16)>>>();
  CHECK_FAULT(
      cudaErrorLaunchTimeout, SITE(kSyncwarpLine), SITE(kBarrierLine), "(0,0,0)", "(1,0,0)");
  return check_result();
}
