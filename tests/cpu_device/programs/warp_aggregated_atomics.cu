// One atomic per warp for all lanes that are active, found by __activemask inside of a branch: the
// classic filter. A mask with lanes that took the other way hangs or hands out a place twice.
#include <cuda_runtime.h>

#include "check.h"

__device__ int aggregated_increment(int* counter) {
  const unsigned active = __activemask();
  const int lane = threadIdx.x % 32;
  const int leader = __ffs(active) - 1;
  int first = 0;
  if (lane == leader) first = atomicAdd(counter, __popc(active));
  first = __shfl_sync(active, first, leader);
  return first + __popc(active & ((1u << lane) - 1));
}

__global__ void keep_if(const int* in, int* out, int* kept, int n, int divisor) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  if (in[i] % divisor == 0) out[aggregated_increment(kept)] = in[i];
}

// Lanes leave the loop one after the other; those that are left share each step.
__global__ void repeat(const int* times, int* steps) {
  for (int k = 0; k < times[threadIdx.x]; ++k) aggregated_increment(steps);
}

int main() {
  const int n = 5000;
  std::vector<int> in(n), times(64);
  for (int i = 0; i < n; ++i) in[i] = i;
  int* d_in = upload(in);
  for (int divisor : {1, 2, 7, 100, 10000}) {
    int* d_out = upload(std::vector<int>(n, -1));
    int* d_kept = upload(std::vector<int>(1, 0));
    keep_if<<<(n + 127) / 128, 128>>>(d_in, d_out, d_kept, n, divisor);
    CHECK_LAUNCH();
    const int kept = (n + divisor - 1) / divisor;
    CHECK_EQ(download(d_kept, 1)[0], kept);
    std::vector<int> out = download(d_out, n), seen(n, 0);
    for (int i = 0; i < n; ++i) {
      CHECK_EQ(out[i] >= 0, i < kept);
      if (out[i] >= 0) ++seen[out[i]];
    }
    for (int i = 0; i < n; ++i) CHECK_EQ(seen[i], i % divisor == 0 ? 1 : 0);
    CHECK_CUDA(cudaFree(d_out));
    CHECK_CUDA(cudaFree(d_kept));
  }
  int total = 0;
  for (int i = 0; i < 64; ++i) total += times[i] = i * 5 % 17;
  int* d_times = upload(times);
  int* d_steps = upload(std::vector<int>(1, 0));
  repeat<<<1, 64>>>(d_times, d_steps);
  CHECK_LAUNCH();
  CHECK_EQ(download(d_steps, 1)[0], total);
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_times));
  CHECK_CUDA(cudaFree(d_steps));
  return check_result();
}
