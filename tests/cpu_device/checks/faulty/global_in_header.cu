// expect: error global-out-of-bounds [A]
// The windows of the last threads reach behind the array; the faulty line stands in a template in
// an included header.
#include "../device_array.h"
#include "global_in_header.cuh"

__global__ void moving_sum(const int* in, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = window_sum(in, i, 3);
}

int main() {
  DeviceArray<int> in(150), out(150);
  moving_sum<<<3, 64>>>(in, out, 150);
  return finish();
}
