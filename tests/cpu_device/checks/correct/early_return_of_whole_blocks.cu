// expect-none: early-return
// Blocks past the end return as a whole before the barrier that the others reach.
#include "../device_vector.h"

__global__ void reverse(int* out, int n) {
  __shared__ int tile[64];
  if (blockIdx.x * 64 >= n) return;
  tile[threadIdx.x] = blockIdx.x * 64 + threadIdx.x;
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = tile[63 - threadIdx.x];
}

int main() {
  DeviceVector<int> out(128);
  reverse<<<5, 64>>>(out, 128);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 128; ++i) CHECK_EQ(seen[i], i / 64 * 64 + 63 - i % 64);
  return check_result();
}
