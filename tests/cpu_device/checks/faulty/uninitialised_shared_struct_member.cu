// expect: error uninitialised-shared [A]
// The minimum is initialised, the maximum beside it is not.
#include "../device_array.h"

struct Range {
  float lowest;
  float highest;
};

__device__ void extend(Range& range, float value) {
  range.lowest = fminf(range.lowest, value);
  range.highest = fmaxf(range.highest, value);  // [A]
}

__global__ void find_range(const float* in, Range* out) {
  __shared__ Range ranges[32];
  ranges[threadIdx.x].lowest = 1e30f;
  extend(ranges[threadIdx.x], in[threadIdx.x]);
  __syncthreads();
  out[threadIdx.x].lowest = ranges[31 - threadIdx.x].lowest;
  out[threadIdx.x].highest = ranges[31 - threadIdx.x].highest;
}

int main() {
  DeviceArray<float> in(32);
  DeviceArray<Range> out(32);
  find_range<<<1, 32>>>(in, out);
  return finish();
}
