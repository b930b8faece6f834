// expect: error device-pointer-in-host [A]
// The host reads a result without copying it: a segmentation fault with a GPU, right values on a
// device whose memory the host can see.
#include <cstdio>

#include "../device_array.h"

__global__ void answer(int* out) { *out = 42; }

int main() {
  DeviceArray<int> out(1);
  answer<<<1, 1>>>(out);
  finish();
  const int seen = out.get()[0];  // [A]
  std::printf("%d\n", seen);
  return 0;
}
