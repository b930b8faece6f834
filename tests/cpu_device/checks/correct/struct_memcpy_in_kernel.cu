// memcpy and memset in a kernel, of structs of an odd size, between global, shared and local
// memory.
#include <cstring>

#include "../device_vector.h"

struct Triple {
  unsigned char bytes[3];
};

__global__ void copy(const Triple* in, Triple* out) {
  __shared__ Triple tile[32];
  Triple mine;
  memset(&mine, 0, sizeof mine);
  memcpy(&tile[threadIdx.x], &in[threadIdx.x], sizeof(Triple));
  __syncthreads();
  memcpy(&mine, &tile[31 - threadIdx.x], 2);
  out[threadIdx.x] = mine;
}

int main() {
  std::vector<Triple> in(32);
  for (int i = 0; i < 32; ++i) {
    for (int k = 0; k < 3; ++k) in[i].bytes[k] = static_cast<unsigned char>(3 * i + k + 1);
  }
  DeviceVector<Triple> d_in(in), d_out(32);
  copy<<<1, 32>>>(d_in, d_out);
  CHECK_LAUNCH();
  const std::vector<Triple> out = d_out.host();
  for (int i = 0; i < 32; ++i) {
    CHECK_EQ(static_cast<int>(out[i].bytes[0]), 3 * (31 - i) + 1);
    CHECK_EQ(static_cast<int>(out[i].bytes[1]), 3 * (31 - i) + 2);
    CHECK_EQ(static_cast<int>(out[i].bytes[2]), 0);
  }
  return check_result();
}
