// expect: warning early-return [A]
// The barrier stands in a branch; threads that skip it reach the end of the kernel.
#include "../device_array.h"

__global__ void lower_half(int* out) {
  __shared__ int values[32];
  if (threadIdx.y < 2) {
    const int i = threadIdx.y * 16 + threadIdx.x;
    values[i] = i;
    __syncthreads();  // [A]
    out[i] = values[31 - i];
  }
}

int main() {
  DeviceArray<int> out(32);
  lower_half<<<2, dim3(16, 4)>>>(out);
  return finish();
}
