// expect: error uninitialised-global [A]
// A first kernel writes the even elements only, a second one reads all.
#include "../device_array.h"

__global__ void produce(int* values, int n) {
  const int i = 2 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) values[i] = i;
}

__global__ void consume(const int* values, int* out, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    out[i] = values[i];  // [A]
  }
}

int main() {
  DeviceArray<int> values(200, Fill::kNone), out(200);
  produce<<<2, 64>>>(values, 200);
  consume<<<1, 96>>>(values, out, 200);
  return finish();
}
