// expect: error global-out-of-bounds [A]
// A templated difference reads the right neighbour of the last element: 8 bytes behind the end,
// in one of two instantiations.
#include "../device_array.h"

template <typename T, bool GUARDED>
__global__ void forward_difference(const T* in, T* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n || (GUARDED && i == n - 1)) return;
  const T next = in[i + 1];  // [A]
  out[i] = next - in[i];
}

int main() {
  DeviceArray<float> in_float(96), out_float(96);
  forward_difference<float, true><<<2, 64>>>(in_float.get(), out_float.get(), 96);
  DeviceArray<double> in_double(96), out_double(96);
  forward_difference<double, false><<<2, 64>>>(in_double.get(), out_double.get(), 96);
  return finish();
}
