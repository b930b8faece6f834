// expect: error launch-error [A]
// More dynamic shared memory than any GPU has, asked for in a function template.
#include "../device_array.h"

template <typename T>
__global__ void sort(T* values) {
  extern __shared__ double storage[];
  storage[threadIdx.x] = static_cast<double>(values[threadIdx.x]);
  __syncthreads();
  values[threadIdx.x] = static_cast<T>(storage[blockDim.x - 1 - threadIdx.x]);
}

template <typename T>
void launch(T* values, int n, size_t bytes) {
  sort<T><<<1, n, bytes>>>(values);  // [A]
}

int main() {
  DeviceArray<float> values(64);
  launch(values.get(), 64, size_t{1} << 20);
  cudaDeviceSynchronize();
  return 0;
}
