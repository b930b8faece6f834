// expect-none: early-return
// Threads return at different times, all behind the last barrier.
#include "../device_vector.h"

__global__ void select(int* out, int n) {
  __shared__ int tile[96];
  tile[threadIdx.x] = 2 * threadIdx.x;
  __syncthreads();
  if (threadIdx.x >= n) return;
  if (tile[threadIdx.x] % 3 != 0) {
    out[threadIdx.x] = -1;
    return;
  }
  out[threadIdx.x] = tile[95 - threadIdx.x];
}

int main() {
  DeviceVector<int> out(70);
  select<<<1, 96>>>(out, 70);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 70; ++i) CHECK_EQ(seen[i], i % 3 == 0 ? 2 * (95 - i) : -1);
  return check_result();
}
