// expect: error shared-out-of-bounds [A]
// The launch passes the number of doubles, not of bytes.
#include "../device_array.h"

template <typename T>
__global__ void squares(T* out) {
  extern __shared__ double storage[];
  T* const values = reinterpret_cast<T*>(storage);
  values[threadIdx.x] = static_cast<T>(threadIdx.x);  // [A]
  __syncthreads();
  if (threadIdx.x < 8) out[threadIdx.x] = values[threadIdx.x] * values[threadIdx.x];
}

int main() {
  DeviceArray<double> out(8);
  squares<double><<<1, 128, 128>>>(out.get());
  return finish();
}
