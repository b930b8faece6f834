// Lanes of one mask call different warp operations: a vote does not complete a shuffle.
#include "fault.h"

constexpr int kVoteLine = __LINE__ + 4;
constexpr int kShuffleLine = __LINE__ + 5;
__global__ void broken(int* out) {
  if (threadIdx.x < 8) {
    out[threadIdx.x] = __ballot_sync(0xffffffff, 1);
  } else {
    out[threadIdx.x] = __shfl_down_sync(0xffffffff, threadIdx.x, 1);
  }
}

int main() {
  int* d_out = upload(std::vector<int>(32, 0));
  broken<<<1, 32>>>(d_out);
  CHECK_FAULT(cudaErrorLaunchTimeout, SITE(kVoteLine), SITE(kShuffleLine), "(7,0,0)", "(8,0,0)");
  return check_result();
}
