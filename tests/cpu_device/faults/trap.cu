// __trap() ends the kernel with an error that names its line.
#include "fault.h"

constexpr int kLine = __LINE__ + 2;
__global__ void broken(const int* in, int* out) {
  if (in[threadIdx.x] == 40) __trap();
  out[threadIdx.x] = in[threadIdx.x];
}

int main() {
  std::vector<int> in(64);
  for (int i = 0; i < 64; ++i) in[i] = i;
  int* d_in = upload(in);
  int* d_out = upload(std::vector<int>(64, 0));
  broken<<<1, 64>>>(d_in, d_out);
  CHECK_FAULT(cudaErrorLaunchFailure, SITE(kLine), "(40,0,0)", "(0,0,0)");
  return check_result();
}
