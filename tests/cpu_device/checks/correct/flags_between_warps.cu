// Two warps of one block hand over a value by an atomic flag in shared memory with fences; no
// block barrier can stand in the loop.
#include "../device_vector.h"

__global__ void relay(int* out, int rounds) {
  __shared__ int turn;
  __shared__ int baton;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (threadIdx.x == 0) {
    turn = 0;
    baton = 1;
  }
  __syncthreads();
  for (int r = 0; r < rounds; ++r) {
    if (lane == 0) {
      while (atomicAdd(&turn, 0) != 2 * r + warp) {
      }
      __threadfence_block();
      baton = 3 * baton + warp;
      __threadfence_block();
      atomicExch(&turn, 2 * r + warp + 1);
    }
    __syncwarp();
  }
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = baton;
}

int main() {
  DeviceVector<int> out(2);
  relay<<<2, 64>>>(out, 4);
  CHECK_LAUNCH();
  int baton = 1;
  for (int i = 0; i < 8; ++i) baton = 3 * baton + i % 2;
  for (int seen : out.host()) CHECK_EQ(seen, baton);
  return check_result();
}
