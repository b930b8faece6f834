// expect: error global-race [A] [B]
// One block writes float4, another reads single floats of the same memory.
#include "../device_array.h"

__global__ void produce_and_consume(float* data, float* out) {
  const int t = threadIdx.x;
  if (blockIdx.x == 0) {
    reinterpret_cast<float4*>(data)[t] = make_float4(1.0f, 2.0f, 3.0f, 4.0f + t);  // [A]
  } else {
    out[t] = data[4 * t + 3];  // [B]
  }
}

int main() {
  DeviceArray<float> data(4 * 32), out(32);
  produce_and_consume<<<2, 32>>>(data, out);
  return finish();
}
