// expect: error uninitialised-shared [A]
// Many blocks run one after the other in the same shared memory; the last one reads a tail that
// only earlier blocks wrote. A tool that does not forget between blocks sees it as written.
#include "../device_array.h"

__global__ void maxima(const int* in, int* out, int n) {
  extern __shared__ int tile[];
  const int first = blockIdx.x * blockDim.x;
  const int count = min(static_cast<int>(blockDim.x), n - first);
  if (threadIdx.x < count) tile[threadIdx.x] = in[first + threadIdx.x];
  __syncthreads();
  const int partner = tile[blockDim.x - 1 - threadIdx.x];  // [A]
  if (threadIdx.x < count) out[first + threadIdx.x] = max(partner, tile[threadIdx.x]);
}

int main() {
  const int n = 20 * 32 - 5;
  DeviceArray<int> in(n), out(n);
  maxima<<<20, 32, 32 * sizeof(int)>>>(in, out, n);
  return finish();
}
