// expect: error uninitialised-global [A]
// cudaMemset clears one int too few. Every other element is right.
#include "../device_array.h"

__global__ void increment(int* values) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const int before = values[i];  // [A]
  values[i] = before + 1;
}

int main() {
  DeviceArray<int> values(128, Fill::kNone);
  cudaMemset(values, 0, 127 * sizeof(int));
  increment<<<2, 64>>>(values);
  return finish();
}
