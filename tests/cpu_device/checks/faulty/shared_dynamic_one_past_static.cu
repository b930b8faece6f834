// expect: error shared-out-of-bounds [A]
// Static and dynamic shared memory in one kernel; the dynamic part is read one element past the
// size that the launch asked for.
#include "../device_array.h"

__global__ void rotate(int* out) {
  __shared__ int offset;
  extern __shared__ int ring[];
  if (threadIdx.x == 0) offset = 1;
  ring[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] += ring[threadIdx.x + offset];  // [A]
}

int main() {
  DeviceArray<int> out(96);
  rotate<<<1, 96, 96 * sizeof(int)>>>(out);
  return finish();
}
