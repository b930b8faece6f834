// A union of a vector with its elements can be copied, and braces can be left out, in a checked program too; and its
// copies still count as accesses of 16 bytes.
#include "counted.h"

union Pack {
  float4 vector;
  float elements[4];
};

__constant__ float4 offsets[2] = {0, 1, 2, 3, 4, 5, 6, 7};

__global__ void reverse(const Pack* in, Pack* out) {
  const Pack mine = in[threadIdx.x];
  Pack result;
  for (int k = 0; k < 4; ++k) result.elements[k] = mine.elements[3 - k] + offsets[1].x;
  out[threadIdx.x] = result;
}

int main() {
  DeviceVector<float> in(iota<float>(128)), out(128);
  cpuDeviceSetCounting(1);
  reverse<<<1, 32>>>(reinterpret_cast<const Pack*>(in.get()), reinterpret_cast<Pack*>(out.get()));
  CHECK_LAUNCH();
  CHECK_EQ(out.host()[4], 11.0f);
  CHECK_EQ(last_launch().global_load.bytes, 512u);
  CHECK_EQ(last_launch().global_load.bytes_16, 512u);
  CHECK_EQ(last_launch().global_load.sectors, 16u);
  CHECK_EQ(last_launch().global_store.bytes_16, 512u);
  return check_result();
}
