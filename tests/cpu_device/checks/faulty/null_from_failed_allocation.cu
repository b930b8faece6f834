// expect: error null-pointer [A]
// cudaMalloc failed for want of memory and nobody looked; the kernel writes at an index, so the
// address is not 0.
#include "../device_array.h"

__global__ void fill(double* out) {
  const size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  out[i + 40] = 1.0;  // [A]
}

int main() {
  double* out = nullptr;
  if (cudaMalloc(&out, size_t{1} << 50) != cudaSuccess) cudaGetLastError();
  fill<<<2, 32>>>(out);
  return finish();
}
