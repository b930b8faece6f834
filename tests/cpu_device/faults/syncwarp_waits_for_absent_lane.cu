// Three lanes wait in a __syncwarp whose mask names a fourth one, which waits for all lanes
// somewhere else.
#include "fault.h"

constexpr int kPartLine = __LINE__ + 4;
constexpr int kAllLine = __LINE__ + 5;
__global__ void broken() {
  if (threadIdx.x < 3) {
    __syncwarp(0xf);
  } else {
    __syncwarp();
  }
}

int main() {
  broken<<<1, 32>>>();
  CHECK_FAULT(
      cudaErrorLaunchTimeout, SITE(kPartLine), SITE(kAllLine), "(0,0,0)", "(3,0,0)", "0x0000000f");
  return check_result();
}
