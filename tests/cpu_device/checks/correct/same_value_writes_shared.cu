// expect: note shared-race [A] [A]
// Threads of several warps raise one flag: all write the same value.
#include "../device_vector.h"

__global__ void any_negative(const int* in, int* out) {
  __shared__ int found;
  if (threadIdx.x == 0) found = 0;
  __syncthreads();
  if (in[blockIdx.x * blockDim.x + threadIdx.x] < 0) {
    found = 1;  // [A]
  }
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = found;
}

int main() {
  std::vector<int> in(4 * 128, 3);
  for (int i = 200; i < 300; ++i) in[i] = -i;
  DeviceVector<int> d_in(in), d_out(4);
  any_negative<<<4, 128>>>(d_in, d_out);
  CHECK_LAUNCH();
  const std::vector<int> out = d_out.host();
  for (int b = 0; b < 4; ++b) CHECK_EQ(out[b], b == 1 || b == 2 ? 1 : 0);
  return check_result();
}
