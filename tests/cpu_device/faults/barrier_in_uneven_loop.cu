// One warp goes around a loop with a barrier once more than the others, which stand at the barrier
// behind the loop.
#include "fault.h"

constexpr int kLoopLine = __LINE__ + 5;
constexpr int kBehindLine = __LINE__ + 6;
__global__ void broken(int* out, int n) {
  const int rounds = threadIdx.x / 32 == 2 ? n + 1 : n;
  for (int i = 0; i < rounds; ++i) {
    __syncthreads();
  }
  __syncthreads();
  out[threadIdx.x] = 1;
}

int main() {
  int* d_out = upload(std::vector<int>(128, 0));
  broken<<<1, 128>>>(d_out, 3);
  CHECK_FAULT(cudaErrorLaunchTimeout, SITE(kLoopLine), SITE(kBehindLine), "(64,0,0)", "(0,0,0)");
  return check_result();
}
