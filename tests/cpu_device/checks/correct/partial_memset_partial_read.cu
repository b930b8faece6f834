// Half of an allocation is set and read; the rest stays as it is.
#include "../device_vector.h"

__global__ void sum(const unsigned* in, int n, unsigned* out) {
  unsigned total = 0;
  for (int i = 0; i < n; ++i) total += in[i] & 0xff;
  *out = total;
}

int main() {
  DeviceVector<unsigned> in(100), out(1);
  CHECK_CUDA(cudaMemset(in, 0x03, 49 * sizeof(unsigned)));
  CHECK_CUDA(cudaMemset(in.get() + 49, 0x05, 1));
  CHECK_CUDA(cudaMemset(reinterpret_cast<char*>(in.get() + 49) + 1, 0x00, 3));
  sum<<<1, 1>>>(in, 50, out);
  CHECK_LAUNCH();
  CHECK_EQ(out.host()[0], 49u * 3 + 5);
  return check_result();
}
