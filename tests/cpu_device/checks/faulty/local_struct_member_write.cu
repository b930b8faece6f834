// expect: error local-out-of-bounds [A]
// A list in a local struct is full and takes one more value: its own count is overwritten.
#include "../device_array.h"

struct List {
  int values[8];
  int count;
};

__global__ void collect(const int* in, int* out, int n) {
  List list;
  list.count = 0;
  for (int i = 0; i < n; ++i) {
    list.values[i] = in[i] + 2;  // [A]
    list.count = i + 1;
  }
  int sum = list.count;
  for (int k = 0; k < 8; ++k) sum += list.values[(k + n) % 8];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

int main() {
  DeviceArray<int> in(9), out(64);
  collect<<<2, 32>>>(in, out, 9);
  return finish();
}
