// An array of floats is read as float4 and float2 at offsets that keep the alignment, and written
// as float in between.
#include "../device_vector.h"

__global__ void views(const float* in, float* out) {
  const float4 a = reinterpret_cast<const float4*>(in + 4)[threadIdx.x];
  const float2 b = *reinterpret_cast<const float2*>(in + 6 + 2 * threadIdx.x);
  float* const mine = out + 4 * threadIdx.x;
  mine[0] = a.x + a.y;
  mine[1] = a.z + a.w;
  *reinterpret_cast<float2*>(mine + 2) = b;
}

int main() {
  DeviceVector<float> in(iota<float>(4 + 4 * 32)), out(4 * 32);
  views<<<1, 32>>>(in, out);
  CHECK_LAUNCH();
  const std::vector<float> seen = out.host();
  for (int t = 0; t < 32; ++t) {
    CHECK_EQ(seen[4 * t], 8.0f * t + 9.0f);
    CHECK_EQ(seen[4 * t + 1], 8.0f * t + 13.0f);
    CHECK_EQ(seen[4 * t + 2], 6.0f + 2 * t);
    CHECK_EQ(seen[4 * t + 3], 7.0f + 2 * t);
  }
  return check_result();
}
