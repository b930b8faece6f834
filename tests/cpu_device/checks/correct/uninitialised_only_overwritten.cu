// Fresh global and shared memory is written before it is read, in another order and by other
// threads.
#include "../device_vector.h"

__global__ void overwrite(int* scratch, int* out, int n) {
  __shared__ int tile[256];
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    scratch[n - 1 - i] = i;
    tile[i] = 2 * i;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) out[i] = scratch[i] + tile[i];
}

int main() {
  DeviceVector<int> scratch(200), out(200);
  overwrite<<<1, 64>>>(scratch, out, 200);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 200; ++i) CHECK_EQ(seen[i], 199 + i);
  return check_result();
}
