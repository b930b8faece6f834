// expect: error missing-lanes [A] [B]
// Lanes of one mask call different functions: a vote does not complete a shuffle.
#include "../device_array.h"

__global__ void mixed(unsigned* out) {
  if (threadIdx.x < 8) {
    out[threadIdx.x] = __ballot_sync(0xffffffff, 1);  // [A]
  } else {
    out[threadIdx.x] = __shfl_up_sync(0xffffffff, threadIdx.x, 1);  // [B]
  }
}

int main() {
  DeviceArray<unsigned> out(32);
  mixed<<<1, 32>>>(out);
  return finish();
}
