// Two warps wait at two different __syncthreads: one block-wide barrier was meant, hardware would
// pair them up.
#include "fault.h"

constexpr int kFirstLine = __LINE__ + 4;
constexpr int kSecondLine = __LINE__ + 5;
__global__ void broken(int* out) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 1;
}

int main() {
  int* d_out = upload(std::vector<int>(64, 0));
  broken<<<1, 64>>>(d_out);
  CHECK_FAULT(cudaErrorLaunchTimeout, SITE(kFirstLine), SITE(kSecondLine), "(0,0,0)", "(32,0,0)");
  return check_result();
}
