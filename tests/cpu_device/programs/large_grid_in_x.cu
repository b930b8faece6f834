// Grids of more than 65,535 blocks in x, and of many blocks in x, y and z at once: each block runs
// exactly once.
#include <cuda_runtime.h>

#include "check.h"

__global__ void mark(unsigned char* seen) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  seen[block] = static_cast<unsigned char>(seen[block] + 1);
}

__global__ void write_index(unsigned* out, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = i;
}

int main() {
  for (dim3 grid :
       {dim3(200000), dim3(70000, 2), dim3(31, 17, 101), dim3(1, 65535), dim3(1, 2, 65535)}) {
    const size_t blocks = static_cast<size_t>(grid.x) * grid.y * grid.z;
    unsigned char* d_seen = upload(std::vector<unsigned char>(blocks + 1, 0));
    mark<<<grid, 1>>>(d_seen);
    CHECK_LAUNCH();
    std::vector<unsigned char> seen = download(d_seen, blocks + 1);
    for (size_t b = 0; b < blocks; ++b) CHECK_EQ(static_cast<int>(seen[b]), 1);
    CHECK_EQ(static_cast<int>(seen[blocks]), 0);
    CHECK_CUDA(cudaFree(d_seen));
  }
  const unsigned n = 70000 * 8 - 3;
  unsigned* d_out = upload(std::vector<unsigned>(n, 0xffffffffu));
  write_index<<<70000, 8>>>(d_out, n);
  CHECK_LAUNCH();
  std::vector<unsigned> out = download(d_out, n);
  for (unsigned i = 0; i < n; ++i) CHECK_EQ(out[i], i);
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
