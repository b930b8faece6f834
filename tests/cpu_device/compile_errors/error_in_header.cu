// The mistake is in an included header, between kernels that the file itself launches.
// expect: broken_helpers.cuh:8
#include <cuda_runtime.h>

#include "broken_helpers.cuh"

int main() {
  float* data = nullptr;
  square<<<1, 32>>>(data);
  return 0;
}
