// expect: warning shared-race [A] [A]
// Every lane of a warp writes the same slot with its own value.
#include "../device_array.h"

__global__ void any_lane(int* out) {
  __shared__ int winner[4];
  winner[threadIdx.x / 32] = threadIdx.x;  // [A]
  __syncthreads();
  out[threadIdx.x] = winner[threadIdx.x / 32];
}

int main() {
  DeviceArray<int> out(128);
  any_lane<<<1, 128>>>(out);
  return finish();
}
