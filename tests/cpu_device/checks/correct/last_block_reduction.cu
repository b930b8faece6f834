// Blocks publish their sums with a fence and a ticket; the block with the last ticket adds them.
#include "../device_vector.h"

__device__ unsigned int tickets = 0;

__global__ void total(const int* in, int n, int* sums, int* out) {
  __shared__ int sum;
  __shared__ bool is_last;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    atomicAdd(&sum, in[i]);
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    sums[blockIdx.x] = sum;
    __threadfence();
    is_last = atomicAdd(&tickets, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (is_last && threadIdx.x == 0) {
    __threadfence();
    int all = 0;
    for (int b = 0; b < gridDim.x; ++b) all += sums[b];
    *out = all;
  }
}

int main() {
  DeviceVector<int> in(iota<int>(1000)), sums(12), out(1);
  total<<<12, 64>>>(in, 1000, sums, out);
  CHECK_LAUNCH();
  CHECK_EQ(out.host()[0], 1000 * 999 / 2);
  return check_result();
}
