// expect: error uninitialised-global [A]
// A float4 is read whole where only the first three floats were written.
#include "../device_array.h"

__global__ void write_points(float* points) {
  float* p = points + 4 * threadIdx.x;
  p[0] = 1.0f;
  p[1] = 2.0f;
  p[2] = 3.0f;
}

__global__ void norms(const float4* points, float* out) {
  const float4 p = points[threadIdx.x];  // [A]
  out[threadIdx.x] = p.x * p.x + p.y * p.y + p.z * p.z + p.w * p.w;
}

int main() {
  DeviceArray<float> points(4 * 32, Fill::kNone), out(32);
  write_points<<<1, 32>>>(points);
  norms<<<1, 32>>>(reinterpret_cast<const float4*>(points.get()), out);
  return finish();
}
