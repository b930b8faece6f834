// Every tile overwrites the one before, with a barrier after the load and one after the use.
#include "../device_vector.h"

__global__ void sums(const int* in, int* out, int tiles) {
  __shared__ int tile[96];
  int sum = 0;
  for (int i = 0; i < tiles; ++i) {
    tile[threadIdx.x] = in[i * 96 + threadIdx.x];
    __syncthreads();
    sum += tile[95 - threadIdx.x] * (i + 1);
    __syncthreads();
  }
  out[threadIdx.x] = sum;
}

int main() {
  DeviceVector<int> in(iota<int>(5 * 96)), out(96);
  sums<<<1, 96>>>(in, out, 5);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int t = 0; t < 96; ++t) {
    int sum = 0;
    for (int i = 0; i < 5; ++i) sum += (i * 96 + 95 - t) * (i + 1);
    CHECK_EQ(seen[t], sum);
  }
  return check_result();
}
