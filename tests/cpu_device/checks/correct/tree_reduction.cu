// A tree reduction with a barrier in its loop; the threads that have no more work wait too.
#include "../device_vector.h"

__global__ void sum(const int* in, int* out, int n) {
  __shared__ int partial[128];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  partial[threadIdx.x] = i < n ? in[i] : 0;
  for (int s = blockDim.x / 2; s > 0; s /= 2) {
    __syncthreads();
    if (threadIdx.x < s) partial[threadIdx.x] += partial[threadIdx.x + s];
  }
  if (threadIdx.x == 0) out[blockIdx.x] = partial[0];
}

int main() {
  DeviceVector<int> in(iota<int>(300)), out(3);
  sum<<<3, 128>>>(in, out, 300);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  CHECK_EQ(seen[0] + seen[1] + seen[2], 300 * 299 / 2);
  return check_result();
}
