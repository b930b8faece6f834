// expect: error global-out-of-bounds [A]
// One lane of one warp of the last block takes a branch whose index is wrong.
#include "../device_array.h"

__global__ void gather(const int* in, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i % 256 == 77 && i > 700) {
    out[i] = in[i + n / 2] + 1;  // [A]
  } else {
    out[i] = in[n - 1 - i];
  }
}

int main() {
  DeviceArray<int> in(1024), out(1024);
  gather<<<8, 128>>>(in, out, 1024);
  return finish();
}
