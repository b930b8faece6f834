// An assert() that does not hold ends the kernel, not the program, and is quoted.
#undef NDEBUG
#include <cassert>

#include "fault.h"

constexpr int kLine = __LINE__ + 2;
__global__ void broken(int limit) {
  assert(static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x) < limit);
}

int main() {
  broken<<<dim3(1, 3), 16>>>(47);
  CHECK_FAULT(cudaErrorAssert, SITE(kLine), "(15,0,0)", "(0,2,0)", "< limit");
  return check_result();
}
