// Barriers behind conditions that are the same for all threads of a block, and in a loop whose
// number of rounds comes from shared memory.
#include "../device_vector.h"

__global__ void rounds(const int* counts, int* out) {
  __shared__ int count;
  __shared__ int slots[64];
  const int t = threadIdx.x;
  if (t == 0) count = counts[blockIdx.x];
  slots[t] = t;
  __syncthreads();
  if (blockIdx.x % 2 == 1) {
    const int other = slots[t ^ 32];
    __syncthreads();
    slots[t] = other;
    __syncthreads();
  }
  int value = 0;
  for (int r = 0; r < count; ++r) {
    value = slots[(t + 1) % 64];
    __syncthreads();
    slots[t] = value;
    __syncthreads();
  }
  out[blockIdx.x * 64 + t] = slots[t];
}

int main() {
  DeviceVector<int> counts(iota<int>(4)), out(4 * 64);
  rounds<<<4, 64>>>(counts, out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 4 * 64; ++i) {
    const int block = i / 64, from = (i + block) % 64;
    CHECK_EQ(seen[i], block % 2 == 1 ? from ^ 32 : from);
  }
  return check_result();
}
