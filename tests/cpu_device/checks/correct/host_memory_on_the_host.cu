// Host functions of the file work on host memory of all kinds, before, between and behind launches.
#include <algorithm>
#include <cstring>
#include <memory>

#include "../device_vector.h"

static int global_counts[16];

__global__ void histogram(const int* in, int* out) { atomicAdd(&out[in[threadIdx.x] % 16], 1); }

int main() {
  auto owned = std::make_unique<int[]>(64);
  for (int i = 0; i < 64; ++i) owned[i] = i * 5;
  int on_stack[64];
  std::memcpy(on_stack, owned.get(), sizeof on_stack);
  std::reverse(on_stack, on_stack + 64);
  DeviceVector<int> in(std::vector<int>(on_stack, on_stack + 64));
  DeviceVector<int> out(std::vector<int>(16, 0));
  histogram<<<1, 64>>>(in, out);
  CHECK_LAUNCH();
  CHECK_CUDA(cudaMemcpy(global_counts, out, sizeof global_counts, cudaMemcpyDeviceToHost));
  for (int count : global_counts) CHECK_EQ(count, 4);
  return check_result();
}
