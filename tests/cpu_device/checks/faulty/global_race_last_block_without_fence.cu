// expect: error global-race [A] [B]
// The last block adds up the others' sums, but no __threadfence orders sum and ticket. Right on any
// machine whose stores become visible in order.
#include "../device_array.h"

__device__ unsigned int finished = 0;

__global__ void total(int* sums, int* out) {
  if (threadIdx.x != 0) return;
  sums[blockIdx.x] = 10 * blockIdx.x + 1;  // [A]
  const unsigned int ticket = atomicAdd(&finished, 1u);
  if (ticket == gridDim.x - 1) {
    int all = 0;
    for (int b = 0; b < gridDim.x; ++b) {
      all += sums[b];  // [B]
    }
    *out = all;
  }
}

int main() {
  DeviceArray<int> sums(12), out(1);
  total<<<12, 32>>>(sums, out);
  return finish();
}
