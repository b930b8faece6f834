// expect: error launch-error [A]
// The first of two launches fails, the second one succeeds; the program looks at the end only.
#include "../device_array.h"

__global__ void first(int* out) { out[threadIdx.x] = 1; }
__global__ void second(int* out) { out[threadIdx.x] += 1; }

int main() {
  DeviceArray<int> out(64);
  const int blocks = 64 / 128;  // rounded down instead of up
  first<<<blocks, 128>>>(out);  // [A]
  second<<<1, 64>>>(out);
  return finish();
}
