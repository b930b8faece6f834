// A barrier is a call that may change all memory: what was read before it is read again.
#include "counted.h"

__global__ void rotate(int* out) {
  __shared__ int turn;
  if (threadIdx.x == 0) turn = 0;
  int seen = 0;
  for (int n = 0; n < 8; ++n) {
    __syncthreads();
    seen = seen * 2 + (turn == static_cast<int>(threadIdx.x));
    __syncthreads();
    if (threadIdx.x == 0) turn = (turn + 1) % 4;
  }
  out[threadIdx.x] = seen;
}

int main() {
  DeviceVector<int> out(4);
  rotate<<<1, 4>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> expected{0b10001000, 0b01000100, 0b00100010, 0b00010001};
  for (int n = 0; n < 4; ++n) CHECK_EQ(out.host()[n], expected[n]);
  return check_result();
}
