// A union in shared memory is written as one type and read as another; its unused tail is not
// touched.
#include "../device_vector.h"

union Word {
  float f;
  unsigned u;
  unsigned char bytes[8];
};

__global__ void view(const float* in, unsigned* out) {
  __shared__ Word words[64];
  words[threadIdx.x].f = in[threadIdx.x];
  __syncthreads();
  const Word& other = words[63 - threadIdx.x];
  out[threadIdx.x] = other.u + other.bytes[3];
}

int main() {
  DeviceVector<float> in(std::vector<float>(64, 1.0f));
  DeviceVector<unsigned> out(64);
  view<<<1, 64>>>(in, out);
  CHECK_LAUNCH();
  for (unsigned seen : out.host()) CHECK_EQ(seen, 0x3f800000u + 0x3f);
  return check_result();
}
