// Warps of one block in three states: returned, at a barrier, and in a shuffle that names a lane
// at the barrier. The report counts each.
#include "fault.h"

constexpr int kShuffleLine = __LINE__ + 6;
constexpr int kBarrierLine = __LINE__ + 7;
__global__ void broken(int* out) {
  const int warp = threadIdx.x / 32;
  if (warp == 0) return;
  if (warp == 1 && threadIdx.x != 63) {
    out[threadIdx.x] = __shfl_up_sync(0xffffffff, threadIdx.x, 1);
  }
  __syncthreads();
}

int main() {
  int* d_out = upload(std::vector<int>(96, 0));
  broken<<<dim3(1, 2), 96>>>(d_out);
  CHECK_FAULT(
      cudaErrorLaunchTimeout, SITE(kShuffleLine), SITE(kBarrierLine), "31 of 96", "33 of 96",
      "(32,0,0)", "(63,0,0)");
  return check_result();
}
