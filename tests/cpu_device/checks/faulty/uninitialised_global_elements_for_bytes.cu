// expect: error uninitialised-global [A]
// cudaMemcpy got the number of doubles instead of bytes: one eighth is initialised.
#include <vector>

#include "../device_array.h"

template <typename T>
__device__ T square(const T* in, int i) {
  const T value = in[i];  // [A]
  return value * value;
}

template <typename T>
__global__ void squares(const T* in, T* out) {
  out[threadIdx.x] = square(in, threadIdx.x);
}

int main() {
  const std::vector<double> host(64, 2.0);
  DeviceArray<double> in(64, Fill::kNone), out(64);
  cudaMemcpy(in, host.data(), host.size(), cudaMemcpyHostToDevice);
  squares<<<1, 64>>>(in.get(), out.get());
  return finish();
}
