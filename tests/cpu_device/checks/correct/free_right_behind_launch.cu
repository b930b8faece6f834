// cudaFree waits for the kernel that uses the memory.
#include "../device_vector.h"

__global__ void copy(const int* in, int* out) { out[threadIdx.x] = in[threadIdx.x]; }

int main() {
  DeviceVector<int> out(64);
  int* in = upload(iota<int>(64));
  copy<<<1, 64>>>(in, out);
  CHECK_CUDA(cudaFree(in));
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 64; ++i) CHECK_EQ(seen[i], i);
  return check_result();
}
