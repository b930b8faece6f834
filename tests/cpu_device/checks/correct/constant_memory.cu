// A constant table is read to its last entry, with an initialiser and after cudaMemcpyToSymbol.
#include "../device_vector.h"

struct Weights {
  float centre;
  float side[4];
};

__constant__ Weights weights = {1.0f, {2.0f, 3.0f, 4.0f, 5.0f}};
__constant__ int offsets[33];

__global__ void look_up(float* out) {
  const int t = threadIdx.x;
  out[t] = weights.centre + weights.side[t % 4] + offsets[t] + offsets[t + 1];
}

int main() {
  const std::vector<int> host = iota<int>(33);
  CHECK_CUDA(cudaMemcpyToSymbol(offsets, host.data(), 33 * sizeof(int)));
  DeviceVector<float> out(32);
  look_up<<<1, 32>>>(out);
  CHECK_LAUNCH();
  const std::vector<float> seen = out.host();
  for (int t = 0; t < 32; ++t) CHECK_EQ(seen[t], 1.0f + 2 + t % 4 + 2 * t + 1);
  return check_result();
}
