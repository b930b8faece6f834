// One barrier line in a device function, reached from two calls by all threads.
#include "../device_vector.h"

__device__ int exchange(int* slots, int value, int distance) {
  slots[threadIdx.x] = value;
  __syncthreads();
  const int result = slots[(threadIdx.x + distance) % blockDim.x];
  __syncthreads();
  return result;
}

__global__ void twice(int* out) {
  __shared__ int slots[96];
  const int first = exchange(slots, threadIdx.x, 33);
  out[threadIdx.x] = exchange(slots, first, 40);
}

int main() {
  DeviceVector<int> out(96);
  twice<<<1, 96>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 96; ++i) CHECK_EQ(seen[i], (i + 73) % 96);
  return check_result();
}
