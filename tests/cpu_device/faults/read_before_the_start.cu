// A negative index far in front of the allocation.
#include "fault.h"

constexpr int kLine = __LINE__ + 2;
__global__ void broken(const int* in, int* out, long long offset) {
  out[threadIdx.x] = in[threadIdx.x - offset * (threadIdx.x == 1)];
}

int main() {
  int* d_in = upload(std::vector<int>(64, 3));
  int* d_out = upload(std::vector<int>(64, 0));
  broken<<<1, 2>>>(d_in, d_out, 1ll << 34);
  CHECK_FAULT(cudaErrorIllegalAddress, SITE(kLine), "(1,0,0)");
  return check_result();
}
