// Bins are cleared, counted with atomics and copied, with a barrier between the three.
#include "../device_vector.h"

__global__ void histogram(const unsigned char* in, int n, int* out) {
  __shared__ int bins[16];
  if (threadIdx.x < 16) bins[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    atomicAdd(&bins[in[i] % 16], 1);
  }
  __syncthreads();
  if (threadIdx.x < 16) atomicAdd(&out[threadIdx.x], bins[threadIdx.x]);
}

int main() {
  DeviceVector<unsigned char> in(iota<unsigned char>(1600));
  DeviceVector<int> out(std::vector<int>(16, 0));
  histogram<<<4, 64>>>(in, 1600, out);
  CHECK_LAUNCH();
  for (int count : out.host()) CHECK_EQ(count, 100);
  return check_result();
}
