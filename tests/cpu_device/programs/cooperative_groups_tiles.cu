// tiled_partition of 32, 16, 8 and 4: ranks, shuffles, votes, sync and matching inside each tile,
// and coalesced_threads in a full warp and in a branch.
#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include "check.h"

namespace cg = cooperative_groups;

enum {
  kRank,
  kSize,
  kMetaRank,
  kMetaSize,
  kShfl,
  kDown,
  kUp,
  kXor,
  kAny,
  kAll,
  kBallot,
  kMatch,
  kSum,
  kNeighbour,
  kResults
};

template <unsigned SIZE>
__global__ void in_tiles(unsigned* out) {
  __shared__ unsigned buffer[128];
  cg::thread_block block = cg::this_thread_block();
  cg::thread_block_tile<SIZE> tile = cg::tiled_partition<SIZE>(block);
  const unsigned tid = block.thread_rank();
  unsigned* r = out + tid * kResults;
  r[kRank] = tile.thread_rank();
  r[kSize] = tile.size();
  r[kMetaRank] = tile.meta_group_rank();
  r[kMetaSize] = tile.meta_group_size();
  r[kShfl] = tile.shfl(tid, SIZE - 1);
  r[kDown] = tile.shfl_down(tid, 1);
  r[kUp] = tile.shfl_up(tid, 2);
  r[kXor] = tile.shfl_xor(tid, 3);
  r[kAny] = tile.any(tid == 5) ? 1 : 0;
  r[kAll] = tile.all(tid / SIZE == 1) ? 1 : 0;
  r[kBallot] = tile.ballot(tid % 3 == 0);
  r[kMatch] = tile.match_any(tid % 2);
  float sum = static_cast<float>(tid);
  for (int i = tile.size() / 2; i > 0; i /= 2) sum += tile.shfl_down(sum, i);
  r[kSum] = static_cast<unsigned>(tile.shfl(sum, 0));
  buffer[tid] = tid;
  tile.sync();
  r[kNeighbour] = buffer[tid - tile.thread_rank() + (tile.thread_rank() + 1) % SIZE];
}

__global__ void coalesced(int* out) {
  cg::coalesced_group warp = cg::coalesced_threads();
  out[threadIdx.x] = warp.size() * 100 + warp.thread_rank();
  if (threadIdx.x % 4 == 1) {
    cg::coalesced_group some = cg::coalesced_threads();
    // The hardware may split the branch further, so only what holds for any split is used.
    const int leader = some.shfl(static_cast<int>(threadIdx.x), 0);
    out[threadIdx.x] += leader <= threadIdx.x && leader % 4 == 1 ? 10000 : 0;
  }
}

template <unsigned SIZE>
void run(unsigned* d_out) {
  const unsigned threads = 128;
  CHECK_CUDA(cudaMemset(d_out, 0xff, threads * kResults * sizeof(unsigned)));
  in_tiles<SIZE><<<1, threads>>>(d_out);
  CHECK_LAUNCH();
  std::vector<unsigned> out = download(d_out, threads * kResults);
  for (unsigned tid = 0; tid < threads; ++tid) {
    const unsigned rank = tid % SIZE, first = tid - rank;
    unsigned ballot = 0, match = 0, sum = 0;
    for (unsigned k = 0; k < SIZE; ++k) {
      if ((first + k) % 3 == 0) ballot |= 1u << k;
      if ((first + k) % 2 == tid % 2) match |= 1u << k;
      sum += first + k;
    }
    const unsigned expected[kResults] = {
        rank,
        SIZE,
        tid / SIZE,
        threads / SIZE,
        first + SIZE - 1,
        rank + 1 < SIZE ? tid + 1 : tid,
        rank >= 2 ? tid - 2 : tid,
        tid ^ 3,
        first / SIZE == 5 / SIZE ? 1u : 0u,
        first / SIZE == 1 ? 1u : 0u,
        ballot,
        match,
        sum,
        first + (rank + 1) % SIZE};
    for (int k = 0; k < kResults; ++k) {
      if (out[tid * kResults + k] != expected[k]) {
        std::printf("tile of %u, thread %u, result %d: ", SIZE, tid, k);
      }
      CHECK_EQ(out[tid * kResults + k], expected[k]);
    }
  }
}

int main() {
  unsigned* d_out = upload(std::vector<unsigned>(128 * kResults));
  run<32>(d_out);
  run<16>(d_out);
  run<8>(d_out);
  run<4>(d_out);
  int* d_coalesced = upload(std::vector<int>(64, -1));
  coalesced<<<1, 64>>>(d_coalesced);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_coalesced, 64);
  for (int i = 0; i < 64; ++i) CHECK_EQ(out[i], 3200 + i % 32 + (i % 4 == 1 ? 10000 : 0));
  CHECK_CUDA(cudaFree(d_out));
  CHECK_CUDA(cudaFree(d_coalesced));
  return check_result();
}
