// expect: error uninitialised-shared [A]
// A counter in shared memory is never set to zero.
#include "../device_array.h"

__global__ void count_even(const int* in, int* out) {
  __shared__ int count;
  if (in[threadIdx.x] % 2 == 0) atomicAdd(&count, 1);  // [A]
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = count;
}

int main() {
  DeviceArray<int> in(64), out(2);
  count_even<<<2, 64>>>(in, out);
  return finish();
}
