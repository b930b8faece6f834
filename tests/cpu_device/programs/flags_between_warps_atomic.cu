// Warps of one block hand over work by a flag that the receivers poll with atomics, without a
// barrier; threads that poll must let the sender run.
#include <cuda_runtime.h>

#include "check.h"

__global__ void relay(int* out, int rounds) {
  __shared__ int turn;
  __shared__ int baton;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
  if (threadIdx.x == 0) {
    turn = 0;
    baton = 1;
  }
  __syncthreads();
  for (int round = 0; round < rounds; ++round) {
    // The highest warp goes first, so that no order of running the warps suits every step.
    const int my_turn = round * warps + (warps - 1 - warp);
    if (lane == 0) {
      while (atomicAdd(&turn, 0) != my_turn) {
      }
      __threadfence_block();
      baton = (baton * 5 + warp) % 10007;
      __threadfence_block();
      atomicExch(&turn, my_turn + 1);
    }
    __syncwarp();
  }
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = baton;
}

int main() {
  const int blocks = 5, warps = 6, rounds = 9;
  int* d_out = upload(std::vector<int>(blocks, -1));
  relay<<<blocks, warps * 32>>>(d_out, rounds);
  CHECK_LAUNCH();
  int baton = 1;
  for (int round = 0; round < rounds; ++round) {
    for (int warp = warps - 1; warp >= 0; --warp) baton = (baton * 5 + warp) % 10007;
  }
  for (int out : download(d_out, blocks)) CHECK_EQ(out, baton);
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
