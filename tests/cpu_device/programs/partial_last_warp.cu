// Blocks of 33 and 48 threads: the last warp is not full, and barriers, votes and shuffles must
// not wait for the lanes that do not exist.
#include <cuda_runtime.h>

#include "check.h"

__global__ void partial(int* sums, unsigned* ballots, int* reversed) {
  __shared__ int values[64];
  const int tid = threadIdx.x, lane = tid % 32;
  const int first = tid - lane;
  const int lanes = min(32, static_cast<int>(blockDim.x) - first);
  const unsigned mask = lanes == 32 ? 0xffffffffu : (1u << lanes) - 1;
  values[tid] = tid;
  __syncthreads();
  reversed[tid] = values[blockDim.x - 1 - tid];
  ballots[tid] = __ballot_sync(mask, lane % 3 == 0);
  int sum = tid;
  for (int offset = 16; offset > 0; offset /= 2) {
    int other = __shfl_down_sync(mask, sum, offset);
    if (lane + offset < lanes) sum += other;
  }
  sums[tid] = __shfl_sync(mask, sum, 0);
}

int main() {
  for (int threads : {1, 7, 32, 33, 48, 63}) {
    int* d_sums = upload(std::vector<int>(threads, -1));
    int* d_reversed = upload(std::vector<int>(threads, -1));
    unsigned* d_ballots = upload(std::vector<unsigned>(threads, 0));
    partial<<<1, threads>>>(d_sums, d_ballots, d_reversed);
    CHECK_LAUNCH();
    std::vector<int> sums = download(d_sums, threads), reversed = download(d_reversed, threads);
    std::vector<unsigned> ballots = download(d_ballots, threads);
    for (int tid = 0; tid < threads; ++tid) {
      const int first = tid / 32 * 32;
      int sum = 0;
      unsigned ballot = 0;
      for (int k = first; k < threads && k < first + 32; ++k) {
        sum += k;
        if ((k - first) % 3 == 0) ballot |= 1u << (k - first);
      }
      CHECK_EQ(sums[tid], sum);
      CHECK_EQ(ballots[tid], ballot);
      CHECK_EQ(reversed[tid], threads - 1 - tid);
    }
    CHECK_CUDA(cudaFree(d_sums));
    CHECK_CUDA(cudaFree(d_reversed));
    CHECK_CUDA(cudaFree(d_ballots));
  }
  return check_result();
}
