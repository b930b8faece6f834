// Writes far in front of a block's dynamic shared memory, as an index that wrapped around does: it
// must not reach another block's memory or the runtime's.
#include "fault.h"

constexpr int kLine = __LINE__ + 4;
__global__ void broken(long long offset, float* out) {
  extern __shared__ float smem[];
  smem[threadIdx.x] = 1.0f;
  smem[threadIdx.x == 7 ? offset : threadIdx.x] = 2.0f;
  __syncthreads();
  out[threadIdx.x] = smem[threadIdx.x];
}

int main() {
  float* d_out = upload(std::vector<float>(32, 0.0f));
  broken<<<1, 32, 128>>>(-(1ll << 34), d_out);
  CHECK_FAULT(cudaErrorIllegalAddress, SITE(kLine), "(7,0,0)", "(0,0,0)");
  return check_result();
}
