// expect: error missing-lanes [A]
// allow: error divergent-barrier [A] [B]
// A full-mask shuffle in a branch that half of the warp takes; the other half waits at a barrier.
// Hardware before compute capability 7.0 went on.
#include "../device_array.h"

__global__ void half_sum(int* out) {
  int value = threadIdx.x;
  if (threadIdx.x % 32 < 16) {
    value += __shfl_down_sync(0xffffffff, value, 8);  // [A]
  }
  out[threadIdx.x] = value;
  __syncthreads();  // [B]
}

int main() {
  DeviceArray<int> out(64);
  half_sum<<<1, 64>>>(out);
  return finish();
}
