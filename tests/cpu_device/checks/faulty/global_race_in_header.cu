// expect: error global-race [A] [B]
// Each thread takes over its right neighbour's value in place. In order of the threads all see old
// values; the lines stand in a header's template.
#include "../device_array.h"
#include "global_race_in_header.cuh"

__global__ void shift(int* values) { add_neighbour(values, threadIdx.x, threadIdx.x + 1); }

int main() {
  DeviceArray<int> values(65);
  shift<<<1, 64>>>(values);
  return finish();
}
