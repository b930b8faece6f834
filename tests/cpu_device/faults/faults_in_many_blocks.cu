// Every thread of a large grid faults, on all worker threads at once: one report, one error, no
// crash and no hang.
#include "fault.h"

constexpr int kLine = __LINE__ + 2;
__global__ void broken(float* out) {
  out[static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x] = 1.0f;
}

int main() {
  broken<<<5000, 256>>>(nullptr);
  CHECK_FAULT(cudaErrorIllegalAddress, SITE(kLine), ",0,0)");
  return check_result();
}
