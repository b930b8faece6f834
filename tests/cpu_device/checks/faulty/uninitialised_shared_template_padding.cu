// expect: error uninitialised-shared [A]
// A transposition reads its padded tile with the row length of the unpadded one: the padding
// column is read as data.
#include "../device_array.h"

template <typename T, int N>
__global__ void flatten(T* out) {
  __shared__ T tile[N * (N + 1)];
  tile[threadIdx.y * (N + 1) + threadIdx.x] = static_cast<T>(threadIdx.y * N + threadIdx.x);
  __syncthreads();
  const T value = tile[threadIdx.y * N + threadIdx.x];  // [A]
  out[threadIdx.y * N + threadIdx.x] = value;
}

int main() {
  DeviceArray<double> out(16 * 16);
  flatten<double, 16><<<1, dim3(16, 16)>>>(out.get());
  return finish();
}
