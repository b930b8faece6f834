// expect: error shared-race [A] [B]
// allow: error uninitialised-shared [B]
// Without its barrier this kernel gives right values when warps run one after the other from the first on: a race is a
// matter of what orders two accesses, not of the order in which they happened.
#include "counted.h"

__global__ void neighbour(const int* in, int* out) {
  __shared__ int values[64];
  values[threadIdx.x] = in[threadIdx.x];       // [A]
  out[threadIdx.x] = values[threadIdx.x / 2];  // [B]
}

int main() {
  DeviceVector<int> in(iota<int>(64)), out(64);
  neighbour<<<1, 64>>>(in, out);
  cudaDeviceSynchronize();
  return check_result();
}
