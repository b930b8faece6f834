// expect: error global-race [A] [B]
// One block passes values through global memory without a barrier. racecheck looks at shared
// memory only.
#include "../device_array.h"

__global__ void reverse(int* scratch, int* out) {
  const int t = threadIdx.x, n = blockDim.x;
  scratch[t] = t + 1;           // [A]
  out[t] = scratch[n - 1 - t];  // [B]
}

int main() {
  DeviceArray<int> scratch(128), out(128);
  reverse<<<1, 128>>>(scratch, out);
  return finish();
}
