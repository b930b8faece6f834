// expect: error warp-mask [A]
// Lanes that meet in one shuffle have different ideas of who takes part; each names itself.
#include "../device_array.h"

__global__ void sum(int* out) {
  const unsigned mask = threadIdx.x % 32 < 16 ? 0xffffffffu : 0xfffffff0u;
  const int other = __shfl_down_sync(mask, static_cast<int>(threadIdx.x), 4);  // [A]
  out[threadIdx.x] = other;
}

int main() {
  DeviceArray<int> out(32);
  sum<<<1, 32>>>(out);
  return finish();
}
