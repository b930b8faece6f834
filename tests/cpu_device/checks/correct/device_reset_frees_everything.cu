// expect-none: leak
// A program that ends with cudaDeviceReset needs no cudaFree.
#include "../device_vector.h"

__global__ void fill(int* out) { out[threadIdx.x] = threadIdx.x; }

int main() {
  int* out = nullptr;
  CHECK_CUDA(cudaMalloc(&out, 32 * sizeof(int)));
  fill<<<1, 32>>>(out);
  CHECK_LAUNCH();
  CHECK_EQ(download(out, 32)[31], 31);
  CHECK_CUDA(cudaDeviceReset());
  return check_result();
}
