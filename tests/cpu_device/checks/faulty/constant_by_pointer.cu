// expect: error constant-out-of-bounds [A]
// A pointer to a constant array travels through a template; the index reaches the array's size.
#include "../device_array.h"

__constant__ int offsets[6] = {0, 1, 3, 6, 10, 15};

template <typename T>
__device__ T interval(const T* bounds, int i) {
  const T end = bounds[i + 1];  // [A]
  return end - bounds[i];
}

__global__ void widths(int* out) { out[threadIdx.x] = interval(offsets, threadIdx.x); }

int main() {
  DeviceArray<int> out(6);
  widths<<<1, 6>>>(out);
  return finish();
}
