// A lock that blocks take by spinning on atomicCAS; if blocks that wait keep the holder from
// running it hangs, if the lock does not exclude the plain updates get lost.
#include <cuda_runtime.h>

#include "check.h"

__device__ int mutex = 0;

__device__ void lock() {
  while (atomicCAS(&mutex, 0, 1) != 0) {
  }
  __threadfence();
}

__device__ void unlock() {
  __threadfence();
  atomicExch(&mutex, 0);
}

struct Shared {
  long long sum;
  int entries, inside, most_inside;
};

__global__ void update(volatile Shared* shared, int rounds) {
  if (threadIdx.x == 0) {
    for (int r = 0; r < rounds; ++r) {
      lock();
      const int inside = shared->inside + 1;
      shared->inside = inside;
      if (inside > shared->most_inside) shared->most_inside = inside;
      shared->sum = shared->sum + blockIdx.x;
      shared->entries = shared->entries + 1;
      shared->inside = shared->inside - 1;
      unlock();
    }
  }
  __syncthreads();
}

int main() {
  const int blocks = 60, rounds = 8;
  Shared* d_shared = upload(std::vector<Shared>(1, Shared{0, 0, 0, 0}));
  update<<<blocks, 64>>>(d_shared, rounds);
  CHECK_LAUNCH();
  Shared shared = download(d_shared, 1)[0];
  CHECK_EQ(shared.entries, blocks * rounds);
  CHECK_EQ(shared.sum, static_cast<long long>(rounds) * blocks * (blocks - 1) / 2);
  CHECK_EQ(shared.inside, 0);
  CHECK_EQ(shared.most_inside, 1);
  CHECK_CUDA(cudaFree(d_shared));
  return check_result();
}
