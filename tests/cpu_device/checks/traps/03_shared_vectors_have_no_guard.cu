// A __shared__ array of vectors is made without a guard variable that every thread would write.
#include "counted.h"

__global__ void mirror(const float4* in, float4* out) {
  __shared__ float4 tile[64];
  tile[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = tile[63 - threadIdx.x];
}

int main() {
  std::vector<float4> values(64);
  for (int n = 0; n < 64; ++n) values[n] = make_float4(n, n, n, n);
  DeviceVector<float4> in(values), out(64);
  cpuDeviceSetCounting(1);
  mirror<<<1, 64>>>(in, out);
  CHECK_LAUNCH();
  CHECK_EQ(last_launch().shared_store.accesses, 64u);
  CHECK_EQ(last_launch().shared_store.bytes_16, 1024u);
  CHECK_EQ(last_launch().shared_load.accesses, 64u);
  for (int n = 0; n < 64; ++n) CHECK_EQ(out.host()[n].w, 63.0f - n);
  return check_result();
}
