// The lanes of a warp pass values through global memory, with __syncwarp.
#include "../device_vector.h"

__global__ void exchange(float* scratch, float* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  scratch[i] = static_cast<float>(i);
  __syncwarp();
  out[i] = scratch[i ^ 31];
}

int main() {
  DeviceVector<float> scratch(128), out(128);
  exchange<<<2, 64>>>(scratch, out);
  CHECK_LAUNCH();
  const std::vector<float> seen = out.host();
  for (int i = 0; i < 128; ++i) CHECK_EQ(seen[i], static_cast<float>(i ^ 31));
  return check_result();
}
