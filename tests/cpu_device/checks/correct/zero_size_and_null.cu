// expect-none: leak
// expect-none: invalid-free
// Allocations, copies and sets of 0 bytes, free of null, and a kernel that gets null and leaves it.
#include "../device_vector.h"

__global__ void maybe(int* optional, int n, int* out) {
  for (int i = 0; i < n; ++i) optional[i] = i;
  *out = n;
}

int main() {
  int* nothing = nullptr;
  CHECK_CUDA(cudaMalloc(&nothing, 0));
  CHECK_CUDA(cudaMemset(nothing, 0, 0));
  DeviceVector<int> out(1);
  maybe<<<1, 1>>>(nothing, 0, out);
  maybe<<<1, 1>>>(nullptr, 0, out);
  CHECK_LAUNCH();
  CHECK_EQ(out.host()[0], 0);
  CHECK_CUDA(cudaFree(nothing));
  CHECK_CUDA(cudaFree(nullptr));
  return check_result();
}
