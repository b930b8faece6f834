// A thousand allocations of all sizes, freed in another order; a kernel goes through an array of
// their addresses.
#include "../device_vector.h"

__global__ void touch_ends(unsigned char* const* blocks, const int* sizes) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  blocks[i][0] = 1;
  blocks[i][sizes[i] - 1] = 2;
}

int main() {
  const int n = 1024;
  std::vector<unsigned char*> blocks(n);
  std::vector<int> sizes(n);
  for (int i = 0; i < n; ++i) {
    sizes[i] = 1 + i * 7 % 1500;
    CHECK_CUDA(cudaMalloc(&blocks[i], sizes[i]));
  }
  DeviceVector<unsigned char*> d_blocks(blocks);
  DeviceVector<int> d_sizes(sizes);
  touch_ends<<<n / 64, 64>>>(d_blocks, d_sizes);
  CHECK_LAUNCH();
  for (int i = 0; i < n; ++i) {
    const int k = i * 5 % n;
    CHECK_EQ(static_cast<int>(download(blocks[k] + sizes[k] - 1, 1)[0]), 2);
    CHECK_CUDA(cudaFree(blocks[k]));
  }
  return check_result();
}
