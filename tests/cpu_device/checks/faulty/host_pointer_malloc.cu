// expect: error host-pointer [A]
// The kernel gets the host copy of the array, not the device's. Works on machines whose GPU shares
// the page tables with the host, and on a CPU device that does not look.
#include <cstdlib>

#include "../device_array.h"

__global__ void copy(const int* in, int* out) {
  out[threadIdx.x] = in[threadIdx.x];  // [A]
}

int main() {
  int* const host = static_cast<int*>(std::calloc(32, sizeof(int)));
  DeviceArray<int> out(32);
  copy<<<1, 32>>>(host, out);
  finish();
  std::free(host);
  return 0;
}
