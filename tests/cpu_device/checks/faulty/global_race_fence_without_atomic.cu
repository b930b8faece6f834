// expect: error global-race [A] [B]
// A fence orders one block's own writes; without a flag the reader cannot know that they happened.
#include "../device_array.h"

__global__ void hand_over(int* boxes, int* out) {
  const int b = blockIdx.x, next = (b + 1) % gridDim.x;
  if (threadIdx.x == 0) {
    boxes[b] = 100 + b;  // [A]
    __threadfence();
    out[b] = boxes[next];  // [B]
  }
}

int main() {
  DeviceArray<int> boxes(6), out(6);
  hand_over<<<6, 32>>>(boxes, out);
  return finish();
}
