// expect: note global-race [A] [A]
// Blocks mark what they find in a table; several write the same mark.
#include "../device_vector.h"

__global__ void mark_remainders(const int* in, unsigned char* seen) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  seen[in[i] % 50] = 1;  // [A]
}

int main() {
  DeviceVector<int> in(iota<int>(256));
  DeviceVector<unsigned char> seen(50);
  CHECK_CUDA(cudaMemset(seen, 0, 50));
  mark_remainders<<<4, 64>>>(in, seen);
  CHECK_LAUNCH();
  for (unsigned char mark : seen.host()) CHECK_EQ(static_cast<int>(mark), 1);
  return check_result();
}
