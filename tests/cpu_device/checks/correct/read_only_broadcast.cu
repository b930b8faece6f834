// All threads of the block read one shared value that thread 0 wrote before the barrier.
#include "../device_vector.h"

__global__ void scale(const float* in, float* out) {
  __shared__ float factor;
  if (threadIdx.x == 0) factor = in[blockIdx.x] + 1.0f;
  __syncthreads();
  float value = factor;
  for (int k = 0; k < 3; ++k) value *= factor;
  out[blockIdx.x * blockDim.x + threadIdx.x] = value;
}

int main() {
  DeviceVector<float> in(iota<float>(3)), out(3 * 64);
  scale<<<3, 64>>>(in, out);
  CHECK_LAUNCH();
  const std::vector<float> seen = out.host();
  for (int i = 0; i < 3 * 64; ++i) CHECK_EQ(seen[i], std::pow(i / 64 + 1.0f, 4.0f));
  return check_result();
}
