// One warp waits for another by polling a volatile flag in shared memory, in both directions;
// every thread must make progress (true since Volta), also while another one spins on plain loads.
#include <cuda_runtime.h>

#include "check.h"

__global__ void ping_pong(int* out, int rounds) {
  __shared__ volatile int ping;
  __shared__ volatile int pong;
  __shared__ int message;
  if (threadIdx.x == 0) {
    ping = 0;
    pong = 0;
    message = 0;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int r = 1; r <= rounds; ++r) {
      message = 3 * message + r;
      __threadfence_block();
      ping = r;
      while (pong != r) {
      }
      __threadfence_block();
    }
  } else if (threadIdx.x == 32) {
    for (int r = 1; r <= rounds; ++r) {
      while (ping != r) {
      }
      __threadfence_block();
      message = message % 1000 + 7;
      __threadfence_block();
      pong = r;
    }
  }
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = message;
}

int main() {
  const int blocks = 2, rounds = 6;
  int* d_out = upload(std::vector<int>(blocks, -1));
  ping_pong<<<blocks, 64>>>(d_out, rounds);
  CHECK_LAUNCH();
  int message = 0;
  for (int r = 1; r <= rounds; ++r) message = (3 * message + r) % 1000 + 7;
  for (int out : download(d_out, blocks)) CHECK_EQ(out, message);
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
