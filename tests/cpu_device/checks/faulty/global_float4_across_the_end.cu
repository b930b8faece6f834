// expect: error global-out-of-bounds [A]
// 30 floats are read as 8 float4: the last one begins inside the array and ends 8 bytes behind it.
// A tool that looks at an access's first byte only sees nothing.
#include "../device_array.h"

__global__ void sum_of_four(const float4* in, float* out) {
  const float4 v = in[threadIdx.x];  // [A]
  out[threadIdx.x] = v.x + v.y + v.z + v.w;
}

int main() {
  DeviceArray<float> in(30), out(8);
  sum_of_four<<<1, 8>>>(reinterpret_cast<const float4*>(in.get()), out);
  return finish();
}
