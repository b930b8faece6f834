// A launch of a kernel that does not exist.
// expect: unknown_kernel.cu:9
#include <cuda_runtime.h>

__global__ void attention(float* out) { out[threadIdx.x] = 0.0f; }

int main() {
  attention<<<1, 32>>>(nullptr);
  atention<<<1, 32>>>(nullptr);
  return 0;
}
