// Kernels and device functions declared first, launched, and defined at the end of the file, also
// as templates and with attributes on either side of __global__.
#include <cuda_runtime.h>

#include "check.h"

__global__ void plain(int* out, int value);
template <typename T>
__global__ void templated(T* out, T value);
namespace later {
__global__ void inside(int* out);
}
__device__ int helper(int x);
__global__ void __launch_bounds__(128) bounded(int* out);
__launch_bounds__(256, 2) __global__ void bounded_first(int* __restrict__ out);
extern "C" __global__ void c_linkage(int* out);

void launch_all(int* out) {
  plain<<<1, 1>>>(out, 11);
  templated<<<1, 1>>>(out + 1, 12);
  later::inside<<<1, 1>>>(out + 2);
  bounded<<<1, 128>>>(out + 3);
  bounded_first<<<1, 256>>>(out + 4);
  c_linkage<<<1, 1>>>(out + 5);
}

int main() {
  int* d_out = upload(std::vector<int>(6, -1));
  launch_all(d_out);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, 6);
  const int expected[6] = {11 + 100, 12, 13, 127, 255, 16};
  for (int i = 0; i < 6; ++i) CHECK_EQ(out[i], expected[i]);
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}

__device__ int helper(int x) { return x + 100; }
__global__ void plain(int* out, int value) { *out = helper(value); }
template <typename T>
__global__ void templated(T* out, T value) {
  *out = value;
}
__global__ void later::inside(int* out) { *out = 13; }
__global__ void __launch_bounds__(128) bounded(int* out) {
  if (threadIdx.x == blockDim.x - 1) *out = threadIdx.x;
}
__launch_bounds__(256, 2) __global__ void bounded_first(int* __restrict__ out) {
  if (threadIdx.x == blockDim.x - 1) *out = threadIdx.x;
}
extern "C" __global__ void c_linkage(int* out) { *out = 16; }
