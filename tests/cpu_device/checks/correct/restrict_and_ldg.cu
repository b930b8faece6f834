// Read-only loads through __restrict__ and __ldg, every element by many threads.
#include "../device_vector.h"

__global__ void distances(const float2* __restrict__ points, float* __restrict__ out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float x = __ldg(&points[i].x);
  float sum = 0.0f;
  for (int j = 0; j < n; ++j) sum += fabsf(points[j].x - x) + points[j].y;
  out[i] = sum;
}

int main() {
  const int n = 100;
  std::vector<float2> points(n);
  for (int i = 0; i < n; ++i) points[i] = make_float2(static_cast<float>(i), 1.0f);
  DeviceVector<float2> d_points(points);
  DeviceVector<float> out(n);
  distances<<<2, 64>>>(d_points, out, n);
  CHECK_LAUNCH();
  const std::vector<float> seen = out.host();
  for (int i = 0; i < n; ++i) {
    CHECK_EQ(seen[i], i * (i + 1) / 2.0f + (n - 1 - i) * (n - i) / 2.0f + n);
  }
  return check_result();
}
