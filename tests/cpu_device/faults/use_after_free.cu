// A kernel reads memory that the host has freed; nothing may have been put in its place.
#include "fault.h"

constexpr int kLine = __LINE__ + 1;
__global__ void broken(const int* in, int* out) { out[threadIdx.x] = in[threadIdx.x] + 1; }

int main() {
  int* d_in = upload(std::vector<int>(32, 3));
  CHECK_CUDA(cudaFree(d_in));
  int* d_out = upload(std::vector<int>(32, 0));
  CHECK(d_in != d_out);
  broken<<<1, 1>>>(d_in, d_out);
  CHECK_FAULT(cudaErrorIllegalAddress, SITE(kLine), "(0,0,0)", "freed");
  return check_result();
}
