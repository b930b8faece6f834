// The threads of a block pass values through global memory, with a barrier.
#include "../device_vector.h"

__global__ void exchange(int* scratch, int* out) {
  const int t = threadIdx.x, first = blockIdx.x * blockDim.x;
  int value = t;
  for (int round = 0; round < 3; ++round) {
    scratch[first + t] = value + 1;
    __syncthreads();
    value = scratch[first + (t + 40) % blockDim.x];
    __syncthreads();
  }
  out[first + t] = value;
}

int main() {
  DeviceVector<int> scratch(4 * 96), out(4 * 96);
  exchange<<<4, 96>>>(scratch, out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 4 * 96; ++i) CHECK_EQ(seen[i], (i % 96 + 120) % 96 + 3);
  return check_result();
}
