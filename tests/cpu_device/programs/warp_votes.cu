// __all_sync, __any_sync, __ballot_sync and __activemask; a vote that counts lanes of another
// warp, or that are outside of the mask, is wrong.
#include <cuda_runtime.h>

#include "check.h"

struct Votes {
  int all, any;
  unsigned ballot, active, low_ballot;
  int rank;
};

__global__ void vote(const int* predicate, Votes* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const int lane = threadIdx.x % 32;
  Votes votes = {};
  votes.active = __activemask();
  votes.all = __all_sync(0xffffffff, predicate[i]) != 0;
  votes.any = __any_sync(0xffffffff, predicate[i]) != 0;
  votes.ballot = __ballot_sync(0xffffffff, predicate[i]);
  votes.rank = __popc(votes.ballot & ((1u << lane) - 1));  // stream compaction's rank
  if (lane < 16) {
    votes.low_ballot = __ballot_sync(0x0000ffff, predicate[i]);
  }
  out[i] = votes;
}

int main() {
  const int warps = 8, n = warps * 32;
  std::vector<int> predicate(n);
  for (int i = 0; i < n; ++i) {
    const int lane = i % 32;
    switch (i / 32) {
      case 0:
        predicate[i] = 0;
        break;
      case 1:
        predicate[i] = 1;
        break;
      case 2:
        predicate[i] = lane == 31;
        break;
      case 3:
        predicate[i] = lane != 0;
        break;
      case 4:
        predicate[i] = lane % 2 == 0 ? -7 : 0;
        break;  // any non-zero value is true
      default:
        predicate[i] = (i * 2654435761u >> 13) & 4;
        break;
    }
  }
  int* d_predicate = upload(predicate);
  Votes* d_votes = upload(std::vector<Votes>(n));
  vote<<<2, n / 2>>>(d_predicate, d_votes);
  CHECK_LAUNCH();
  std::vector<Votes> votes = download(d_votes, n);
  for (int warp = 0; warp < warps; ++warp) {
    unsigned ballot = 0;
    for (int lane = 0; lane < 32; ++lane) {
      if (predicate[warp * 32 + lane]) ballot |= 1u << lane;
    }
    int rank = 0;
    for (int lane = 0; lane < 32; ++lane) {
      const Votes& seen = votes[warp * 32 + lane];
      CHECK_EQ(seen.all, ballot == 0xffffffffu ? 1 : 0);
      CHECK_EQ(seen.any, ballot != 0 ? 1 : 0);
      CHECK_EQ(seen.ballot, ballot);
      CHECK_EQ(seen.active, 0xffffffffu);
      CHECK_EQ(seen.low_ballot, lane < 16 ? ballot & 0xffffu : 0u);
      CHECK_EQ(seen.rank, rank);
      rank += predicate[warp * 32 + lane] != 0;
    }
  }
  CHECK_CUDA(cudaFree(d_predicate));
  CHECK_CUDA(cudaFree(d_votes));
  return check_result();
}
