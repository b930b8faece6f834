// A lane calls a shuffle with a mask that does not name it: undefined on a GPU, an error here.
#include "fault.h"

constexpr int kLine = __LINE__ + 1;
__global__ void broken(int* out) { out[threadIdx.x] = __shfl_sync(0xffffffef, threadIdx.x, 0); }

int main() {
  int* d_out = upload(std::vector<int>(32, 0));
  broken<<<1, 32>>>(d_out);
  CHECK_FAULT(cudaErrorLaunchFailure, SITE(kLine), "(4,0,0)", "0xffffffef");
  return check_result();
}
