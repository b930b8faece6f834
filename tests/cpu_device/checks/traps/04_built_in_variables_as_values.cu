// The built-in variables can be copied, passed and compared as CUDA's can, though they are no dim3 here.
#include "counted.h"

__device__ unsigned volume(dim3 size) { return size.x * size.y * size.z; }
__device__ unsigned linear(uint3 index, dim3 size) {
  return (index.z * size.y + index.y) * size.x + index.x;
}

__global__ void number(unsigned* out) {
  dim3 block = blockDim;
  dim3 grid{gridDim};
  const uint3 here = blockIdx;
  out[linear(here, grid) * volume(blockDim) + linear(threadIdx, block)] = volume(gridDim);
}

int main() {
  DeviceVector<unsigned> out(6 * 24);
  number<<<dim3(3, 2), dim3(2, 3, 4)>>>(out);
  CHECK_LAUNCH();
  for (const unsigned value : out.host()) CHECK_EQ(value, 6u);
  return check_result();
}
