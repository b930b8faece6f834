// expect: error shared-race [A] [A]
// A tree reduction waits once, before its loop. Read and write stand on the same line.
#include "../device_array.h"

__global__ void sum(int* out) {
  __shared__ int partial[128];
  partial[threadIdx.x] = threadIdx.x + 1;
  __syncthreads();
  for (int s = blockDim.x / 2; s > 0; s /= 2) {
    if (threadIdx.x < s) {
      partial[threadIdx.x] += partial[threadIdx.x + s];  // [A]
    }
  }
  if (threadIdx.x == 0) out[blockIdx.x] = partial[0];
}

int main() {
  DeviceArray<int> out(2);
  sum<<<2, 128>>>(out);
  return finish();
}
