// expect: error read-only-write [A]
// Input and output lie in one allocation; the last row of the output is the first of the input.
#include "../device_array.h"

template <typename T>
__global__ void fill_rows(T* out, int cols) {
  out[blockIdx.x * cols + threadIdx.x] = static_cast<T>(blockIdx.x + 1);  // [A]
}

int main() {
  DeviceArray<double> both(2 * 4 * 16);
  mark_read_only(both.get() + 4 * 16, 4 * 16 * sizeof(double));
  fill_rows<<<5, 16>>>(both.get(), 16);
  return finish();
}
