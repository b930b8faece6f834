// expect: error warp-mask [A]
// All 32 lanes call a shuffle whose mask names the lower 16.
#include "../device_array.h"

__global__ void broadcast(int* out) {
  const int first = __shfl_sync(0x0000ffff, threadIdx.x + 5, 0);  // [A]
  out[threadIdx.x] = first;
}

int main() {
  DeviceArray<int> out(32);
  broadcast<<<1, 32>>>(out);
  return finish();
}
