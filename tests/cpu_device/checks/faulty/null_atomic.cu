// expect: error null-pointer [A]
// The counter is a null pointer; only atomics touch it.
#include "../device_array.h"

template <typename T>
__global__ void count_positive(const T* in, unsigned* counter) {
  if (in[threadIdx.x] >= T(0)) atomicAdd(counter, 1u);  // [A]
}

int main() {
  DeviceArray<float> in(64);
  count_positive<<<1, 64>>>(in.get(), static_cast<unsigned*>(nullptr));
  return finish();
}
