// __syncthreads_or and __syncthreads_count are barriers: they order shared accesses.
#include "../device_vector.h"

__global__ void exchange(const int* in, int* out) {
  __shared__ int slots[64];
  slots[threadIdx.x] = in[threadIdx.x];
  const int any = __syncthreads_or(in[threadIdx.x] == 63);
  const int other = slots[63 - threadIdx.x];
  const int odd = __syncthreads_count(other % 2);
  slots[threadIdx.x] = other + odd + any;
  __syncthreads_and(1);
  out[threadIdx.x] = slots[threadIdx.x ^ 32];
}

int main() {
  DeviceVector<int> in(iota<int>(64)), out(64);
  exchange<<<1, 64>>>(in, out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 64; ++i) CHECK_EQ(seen[i], 63 - (i ^ 32) + 32 + 1);
  return check_result();
}
