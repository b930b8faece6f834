// Half of each warp waits at __syncthreads, the other half in a shuffle that names the whole warp:
// neither can go on.
#include "fault.h"

constexpr int kBarrierLine = __LINE__ + 4;
constexpr int kShuffleLine = __LINE__ + 5;
__global__ void broken(int* out) {
  if (threadIdx.x % 32 < 16) {
    __syncthreads();
  } else {
    out[threadIdx.x] = __shfl_sync(0xffffffff, threadIdx.x, 16);
  }
}

int main() {
  int* d_out = upload(std::vector<int>(64, 0));
  broken<<<1, 64>>>(d_out);
  CHECK_FAULT(
      cudaErrorLaunchTimeout, SITE(kBarrierLine), SITE(kShuffleLine), "(0,0,0)", "(16,0,0)");
  return check_result();
}
