// One thread of one block writes through a null pointer.
#include "fault.h"

constexpr int kLine = __LINE__ + 3;
__global__ void broken(int* out) {
  if (blockIdx.x == 2 && threadIdx.y == 3 && threadIdx.x == 5) {
    out[7] = 1;
  }
}

int main() {
  broken<<<4, dim3(8, 4)>>>(nullptr);
  CHECK_FAULT(cudaErrorIllegalAddress, SITE(kLine), "(5,3,0)", "(2,0,0)");
  return check_result();
}
