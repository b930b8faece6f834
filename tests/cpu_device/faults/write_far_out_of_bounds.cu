// An index computed in elements where bytes were meant: the write lands far behind the allocation.
#include "fault.h"

constexpr int kLine = __LINE__ + 3;
__global__ void broken(float* out, size_t stride) {
  const size_t i = threadIdx.x == 9 ? stride * sizeof(float) : threadIdx.x;
  out[i] = 1.0f;
}

int main() {
  const size_t n = 1 << 20;
  float* d_out = nullptr;
  CHECK_CUDA(cudaMalloc(&d_out, n * sizeof(float)));
  broken<<<1, 10>>>(d_out, n);
  CHECK_FAULT(cudaErrorIllegalAddress, SITE(kLine), "(9,0,0)", "(0,0,0)");
  return check_result();
}
