// expect: error warp-mask [A]
// The mask was made for the lanes of one branch and is used in the other, in the second warp only.
#include "../device_array.h"

__device__ int neighbour(unsigned mask, int value) {
  return __shfl_xor_sync(mask, value, 1);  // [A]
}

__global__ void branches(int* out) {
  const int t = threadIdx.x;
  const bool upper = t % 32 >= 16;
  const unsigned mask = __ballot_sync(0xffffffff, upper);
  if (upper) {
    out[t] = neighbour(mask, t);
  } else {
    out[t] = neighbour(t < 32 ? ~mask : mask, t);
  }
}

int main() {
  DeviceArray<int> out(64);
  branches<<<1, 64>>>(out);
  return finish();
}
