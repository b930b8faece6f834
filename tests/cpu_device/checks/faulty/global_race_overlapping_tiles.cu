// expect: error global-race [A] [A]
// Blocks of 64 threads begin every 60 elements and write 64: neighbours write 4 common elements.
#include "../device_array.h"

template <typename T>
__global__ void label(T* out, int stride) {
  const int i = blockIdx.x * stride + threadIdx.x;
  out[i] = static_cast<T>(blockIdx.x + 1);  // [A]
}

int main() {
  DeviceArray<double> out(4 * 60 + 4);
  label<<<4, 64>>>(out.get(), 60);
  return finish();
}
