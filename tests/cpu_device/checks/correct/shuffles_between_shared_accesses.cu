// Warp sums by shuffle, one slot per warp, then one warp adds the slots.
#include "../device_vector.h"

__device__ int warp_sum(int value) {
  for (int d = 16; d > 0; d /= 2) value += __shfl_down_sync(0xffffffff, value, d);
  return value;
}

__global__ void block_sum(const int* in, int* out) {
  __shared__ int sums[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  const int sum = warp_sum(in[blockIdx.x * blockDim.x + threadIdx.x]);
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  if (warp == 0) {
    const int total = warp_sum(lane < warps ? sums[lane] : 0);
    if (lane == 0) out[blockIdx.x] = total;
  }
}

int main() {
  DeviceVector<int> in(iota<int>(3 * 256)), out(3);
  block_sum<<<3, 256>>>(in, out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int b = 0; b < 3; ++b) CHECK_EQ(seen[b], 256 * 256 * b + 256 * 255 / 2);
  return check_result();
}
