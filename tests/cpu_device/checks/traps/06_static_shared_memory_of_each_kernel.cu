// The size of a kernel's static shared memory is its own, not that of all kernels of the program, and the runtime's
// thread-local variables are no part of it.
#include "counted.h"

__global__ void small(int* out) {
  __shared__ int a[10];
  a[threadIdx.x] = 1;
  out[threadIdx.x] = a[threadIdx.x];
}

template <int kCount>
__global__ void large(int* out) {
  __shared__ int a[kCount];
  __shared__ double b;
  a[threadIdx.x] = 1;
  if (threadIdx.x == 0) b = 2;
  __syncthreads();
  out[threadIdx.x] = a[threadIdx.x] + static_cast<int>(b);
}

size_t static_shared() {
  size_t count = 0;
  const cpuDeviceLaunch* const launches = cpuDeviceLaunches(&count);
  return launches[count - 1].static_shared;
}

int main() {
  DeviceVector<int> out(10);
  cpuDeviceSetCounting(1);
  small<<<1, 10>>>(out);
  CHECK_LAUNCH();
  CHECK_EQ(static_shared(), 40u);
  large<1000><<<1, 10>>>(out);
  CHECK_LAUNCH();
  CHECK_EQ(static_shared(), 4008u);
  cudaFuncAttributes attributes;
  CHECK_CUDA(cudaFuncGetAttributes(&attributes, small));
  CHECK_EQ(attributes.sharedSizeBytes, 40u);
  return check_result();
}
