// Warps of one block do different things between the same barriers: one loads ahead, the others
// compute on what it loaded before.
#include "../device_vector.h"

__global__ void produce_and_consume(const int* in, int* out, int tiles) {
  __shared__ int stage[2][32];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int sum = 0;
  for (int i = 0; i <= tiles; ++i) {
    if (warp == 0) {
      if (i < tiles) stage[i % 2][lane] = in[i * 32 + lane];
    } else if (i > 0) {
      sum += warp * stage[(i - 1) % 2][31 - lane];
    }
    __syncthreads();
  }
  out[threadIdx.x] = sum;
}

int main() {
  DeviceVector<int> in(iota<int>(6 * 32)), out(96);
  produce_and_consume<<<1, 96>>>(in, out, 6);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int t = 0; t < 96; ++t) CHECK_EQ(seen[t], t / 32 * (6 * (31 - t % 32) + 32 * 15));
  return check_result();
}
