// Memory is initialised by copies from device memory and by two cudaMemcpy that meet.
#include "../device_vector.h"

__global__ void increment(const int* in, int* out) { out[threadIdx.x] = in[threadIdx.x] + 1; }

int main() {
  const std::vector<int> values = iota<int>(64);
  DeviceVector<int> a(64), b(64), out(64);
  CHECK_CUDA(cudaMemcpy(a, values.data(), 20 * sizeof(int), cudaMemcpyHostToDevice));
  CHECK_CUDA(
      cudaMemcpyAsync(a.get() + 20, &values[20], 44 * sizeof(int), cudaMemcpyHostToDevice, 0));
  CHECK_CUDA(cudaMemcpy(b, a, 64 * sizeof(int), cudaMemcpyDeviceToDevice));
  increment<<<1, 64>>>(b, out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 64; ++i) CHECK_EQ(seen[i], i + 1);
  return check_result();
}
