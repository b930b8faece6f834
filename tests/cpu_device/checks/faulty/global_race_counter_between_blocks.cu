// expect: error global-race [A] [A]
// One thread of each block counts with a plain increment. Blocks that run one after the other give
// the right count.
#include "../device_array.h"

__global__ void count_blocks(int* count) {
  if (threadIdx.x == 0) {
    *count += 1;  // [A]
  }
}

int main() {
  DeviceArray<int> count(1);
  count_blocks<<<16, 32>>>(count);
  return finish();
}
