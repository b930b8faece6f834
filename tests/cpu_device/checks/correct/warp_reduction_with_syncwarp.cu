// The last warp reduces without block barriers: read, __syncwarp, write, __syncwarp.
#include "../device_vector.h"

__global__ void sum(int* out) {
  __shared__ int values[64];
  const int t = threadIdx.x;
  values[t] = t + 1;
  __syncthreads();
  if (t < 32) {
    int sum = values[t] + values[t + 32];
    for (int d = 16; d > 0; d /= 2) {
      __syncwarp();
      values[t] = sum;
      __syncwarp();
      if (t < d) sum += values[t + d];
    }
    if (t == 0) *out = sum;
  }
}

int main() {
  DeviceVector<int> out(1);
  sum<<<1, 64>>>(out);
  CHECK_LAUNCH();
  CHECK_EQ(out.host()[0], 64 * 65 / 2);
  return check_result();
}
