// Two kernels have shared arrays of the same name, and each block starts with its own: what one
// wrote is none of the others' business.
#include "../device_vector.h"

__global__ void first(int* out) {
  __shared__ int slots[64];
  slots[threadIdx.x] = blockIdx.x;
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = slots[63 - threadIdx.x];
}

__global__ void second(int* out) {
  __shared__ float slots[32];
  if (threadIdx.x >= 32) slots[threadIdx.x - 32] = 0.5f;
  __syncthreads();
  if (threadIdx.x < 32)
    out[blockIdx.x * 64 + threadIdx.x] += static_cast<int>(4 * slots[threadIdx.x]);
}

int main() {
  DeviceVector<int> out(8 * 64);
  first<<<8, 64>>>(out);
  second<<<8, 64>>>(out);
  first<<<4, 64>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 8 * 64; ++i) {
    CHECK_EQ(seen[i], i / 64 + (i >= 4 * 64 && i % 64 < 32 ? 2 : 0));
  }
  return check_result();
}
