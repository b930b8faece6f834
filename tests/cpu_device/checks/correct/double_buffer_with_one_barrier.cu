// Two buffers in turn need one barrier per tile: the next tile goes where nobody reads.
#include "../device_vector.h"

__global__ void sums(const float* in, float* out, int tiles) {
  __shared__ float buffer[2][64];
  const int t = threadIdx.x;
  buffer[0][t] = in[t];
  float sum = 0.0f;
  for (int i = 0; i < tiles; ++i) {
    __syncthreads();
    const int now = i & 1;
    if (i + 1 < tiles) buffer[now ^ 1][t] = in[(i + 1) * 64 + t];
    sum += buffer[now][63 - t];
  }
  out[t] = sum;
}

int main() {
  DeviceVector<float> in(iota<float>(7 * 64)), out(64);
  sums<<<1, 64>>>(in, out, 7);
  CHECK_LAUNCH();
  const std::vector<float> seen = out.host();
  for (int t = 0; t < 64; ++t) CHECK_EQ(seen[t], 7.0f * (63 - t) + 64.0f * 21);
  return check_result();
}
