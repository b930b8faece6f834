// 3-D grids and blocks: every combination of the built-in indices appears once, warps are 32
// consecutive linear ids.
#include <cuda_runtime.h>

#include "check.h"

struct Where {
  uint3 thread, block;
  dim3 block_size, grid_size;
  unsigned first_of_warp;
  int warp_size;
};

__global__ void look(Where* out) {
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  const unsigned lanes = threads - thread / 32 * 32;
  const unsigned mask = lanes >= 32 ? 0xffffffffu : (1u << lanes) - 1;
  Where where;
  where.thread = threadIdx;
  where.block = blockIdx;
  where.block_size = blockDim;
  where.grid_size = gridDim;
  where.first_of_warp = __shfl_sync(mask, thread, 0);
  where.warp_size = warpSize;
  out[block * threads + thread] = where;
}

int main() {
  const dim3 shapes[][2] = {
      {dim3(2, 3, 4), dim3(5, 3, 2)}, {dim3(1, 1, 7), dim3(8, 8, 3)}, {dim3(4, 2), dim3(3, 1, 33)}};
  for (const auto& shape : shapes) {
    const dim3 grid = shape[0], block = shape[1];
    const unsigned threads = block.x * block.y * block.z, n = threads * grid.x * grid.y * grid.z;
    Where* d_out = upload(std::vector<Where>(n));
    look<<<grid, block>>>(d_out);
    CHECK_LAUNCH();
    std::vector<Where> out = download(d_out, n);
    unsigned i = 0;
    for (unsigned bz = 0; bz < grid.z; ++bz)
      for (unsigned by = 0; by < grid.y; ++by)
        for (unsigned bx = 0; bx < grid.x; ++bx)
          for (unsigned tid = 0; tid < threads; ++tid, ++i) {
            CHECK_EQ(out[i].thread.x, tid % block.x);
            CHECK_EQ(out[i].thread.y, tid / block.x % block.y);
            CHECK_EQ(out[i].thread.z, tid / (block.x * block.y));
            CHECK_EQ(out[i].block.x, bx);
            CHECK_EQ(out[i].block.y, by);
            CHECK_EQ(out[i].block.z, bz);
            CHECK_EQ(out[i].block_size.y, block.y);
            CHECK_EQ(out[i].grid_size.z, grid.z);
            CHECK_EQ(out[i].first_of_warp, tid / 32 * 32);
            CHECK_EQ(out[i].warp_size, 32);
          }
    CHECK_CUDA(cudaFree(d_out));
  }
  return check_result();
}
