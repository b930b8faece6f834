// expect: error shared-out-of-bounds [A]
// A member array of a shared struct is cleared one index too far, which hits the next member; that
// one is set afterwards, so the results are right.
#include "../device_array.h"

struct Statistics {
  int bins[16];
  int total;
};

__global__ void count(int* out) {
  __shared__ Statistics statistics;
  if (threadIdx.x <= 16) {
    statistics.bins[threadIdx.x] = 0;  // [A]
  }
  __syncthreads();
  if (threadIdx.x == 0) statistics.total = blockDim.x;
  atomicAdd(&statistics.bins[threadIdx.x % 16], 1);
  __syncthreads();
  if (threadIdx.x < 16) out[threadIdx.x] = statistics.bins[threadIdx.x] + statistics.total;
}

int main() {
  DeviceArray<int> out(16);
  count<<<1, 64>>>(out);
  return finish();
}
