// expect: error read-only-write [A]
// The constness of the parameter is cast away in a device function; the value that is written is
// the one that was there, so a comparison before and after shows nothing.
#include "../device_array.h"

__device__ void touch(const int* values, int i) {
  volatile int* const writable = const_cast<int*>(values);
  writable[i] = 0;  // [A]
}

__global__ void reads_only(const int* values, int* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = values[i];
  if (i == 97) touch(values, i);
}

int main() {
  DeviceArray<int> values(128), out(128);
  mark_read_only(values.get(), 128 * sizeof(int));
  reads_only<<<2, 64>>>(values, out);
  return finish();
}
