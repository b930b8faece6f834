// Ragged tiles: the part of the tile that nobody loaded is never used.
#include "../device_vector.h"

__global__ void reverse_tiles(const int* in, int* out, int n) {
  __shared__ int tile[64];
  const int first = blockIdx.x * 64, count = min(64, n - first);
  if (threadIdx.x < count) tile[threadIdx.x] = in[first + threadIdx.x];
  __syncthreads();
  if (threadIdx.x < count) out[first + threadIdx.x] = tile[count - 1 - threadIdx.x];
}

int main() {
  DeviceVector<int> in(iota<int>(333)), out(333);
  reverse_tiles<<<6, 64>>>(in, out, 333);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 333; ++i) {
    const int first = i / 64 * 64, count = first + 64 <= 333 ? 64 : 333 - first;
    CHECK_EQ(seen[i], first + count - 1 - (i - first));
  }
  return check_result();
}
