// Memory from cudaMallocAsync that a later kernel of the stream still writes after cudaFreeAsync.
#include "fault.h"

constexpr int kLine = __LINE__ + 2;
__global__ void broken(int* out) {
  if (threadIdx.x == 31) out[threadIdx.x] = 1;
}

int main() {
  cudaStream_t stream;
  CHECK_CUDA(cudaStreamCreate(&stream));
  int* scratch = nullptr;
  CHECK_CUDA(cudaMallocAsync(&scratch, 32 * sizeof(int), stream));
  CHECK_CUDA(cudaMemsetAsync(scratch, 0, 32 * sizeof(int), stream));
  CHECK_CUDA(cudaFreeAsync(scratch, stream));
  broken<<<1, 32, 0, stream>>>(scratch);
  CHECK_FAULT(cudaErrorIllegalAddress, SITE(kLine), "(31,0,0)", "freed");
  return check_result();
}
