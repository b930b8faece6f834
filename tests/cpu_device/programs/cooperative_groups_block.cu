// cooperative_groups thread_block: sync, ranks, indices and sizes in 3-D blocks and grids.
#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include "check.h"

namespace cg = cooperative_groups;

struct Seen {
  unsigned rank, size, num_threads, group_x, group_z, thread_y, dim_z, grid_x, neighbour;
};

__device__ unsigned exchange(cg::thread_block block, unsigned* buffer, unsigned value) {
  buffer[block.thread_rank()] = value;
  block.sync();
  const unsigned other = buffer[(block.thread_rank() + 5) % block.size()];
  cg::sync(block);
  return other;
}

__global__ void look(Seen* out) {
  __shared__ unsigned buffer[64];
  cg::thread_block block = cg::this_thread_block();
  const unsigned linear_block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  Seen seen;
  seen.rank = block.thread_rank();
  seen.size = block.size();
  seen.num_threads = block.num_threads();
  seen.group_x = block.group_index().x;
  seen.group_z = block.group_index().z;
  seen.thread_y = block.thread_index().y;
  seen.dim_z = block.group_dim().z;
  seen.grid_x = gridDim.x;
  seen.neighbour = exchange(block, buffer, seen.rank * 3);
  out[linear_block * block.size() + block.thread_rank()] = seen;
}

int main() {
  const dim3 grid(3, 1, 2), block(4, 5, 2);
  const unsigned threads = 40, n = 6 * threads;
  Seen* d_out = upload(std::vector<Seen>(n));
  look<<<grid, block>>>(d_out);
  CHECK_LAUNCH();
  std::vector<Seen> out = download(d_out, n);
  for (unsigned i = 0; i < n; ++i) {
    const unsigned rank = i % threads, linear_block = i / threads;
    CHECK_EQ(out[i].rank, rank);
    CHECK_EQ(out[i].size, threads);
    CHECK_EQ(out[i].num_threads, threads);
    CHECK_EQ(out[i].group_x, linear_block % 3);
    CHECK_EQ(out[i].group_z, linear_block / 3);
    CHECK_EQ(out[i].thread_y, rank / 4 % 5);
    CHECK_EQ(out[i].dim_z, 2u);
    CHECK_EQ(out[i].grid_x, 3u);
    CHECK_EQ(out[i].neighbour, (rank + 5) % threads * 3);
  }
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
