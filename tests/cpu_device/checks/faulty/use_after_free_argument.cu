// expect: error use-after-free [A]
// The input is freed before the launch. On a GPU the values usually are still there.
#include "../device_array.h"

__global__ void copy(const int* in, int* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = in[i];  // [A]
}

int main() {
  int* in = nullptr;
  cudaMalloc(&in, 64 * sizeof(int));
  cudaMemset(in, 0, 64 * sizeof(int));
  DeviceArray<int> out(64);
  cudaFree(in);
  copy<<<2, 32>>>(in, out);
  return finish();
}
