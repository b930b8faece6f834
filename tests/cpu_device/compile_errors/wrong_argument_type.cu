// A host vector for a pointer, in a launch over lines; compilers name the first or the argument's.
// expect: wrong_argument_type.cu:1[4-7]
#include <cuda_runtime.h>

#include <vector>

__global__ void fill(float* out, float value) { out[threadIdx.x] = value; }

int main() {
  std::vector<float> host(32);
  float* device = nullptr;
  fill<<<1, 32>>>(device, 1.0f);
  // clang-format off
  fill<<<
      1,
      32>>>(
      host,
      2.0f);
  // clang-format on
  return 0;
}
