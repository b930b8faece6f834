// expect: error host-pointer [A]
// The result goes to a variable of the host program; a plain static is no __device__ variable.
#include "../device_array.h"

static int result;

__global__ void sum(const int* in, int* out) {
  int total = 0;
  for (int i = 0; i < 16; ++i) total += in[i];
  if (threadIdx.x == 0) *out = total;  // [A]
}

int main() {
  DeviceArray<int> in(16);
  sum<<<1, 32>>>(in, &result);
  return finish() + 0 * result;
}
