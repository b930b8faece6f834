// Half-warps with disjoint masks shuffle in different branches, a different number of times; a
// device that joins the whole warp at a shuffle hangs or mixes the halves.
#include <cuda_runtime.h>

#include "check.h"

__global__ void halves(int* out) {
  const int lane = threadIdx.x % 32;
  int value = threadIdx.x;
  if (lane < 16) {
    for (int offset = 8; offset > 0; offset /= 2) {
      value += __shfl_xor_sync(0x0000ffff, value, offset, 16);
    }
  } else {
    value = __shfl_sync(0xffff0000, value, 20);
    if (__any_sync(0xffff0000, lane == 31)) value += 100000;
  }
  __syncwarp();
  out[threadIdx.x] = value;
}

// Lanes leave a loop at different times; those that still run name each other by a ballot.
__global__ void shrinking_mask(int* out) {
  const int lane = threadIdx.x;
  unsigned mask = 0xffffffff;
  int rounds = 0;
  for (int limit = 32; limit > 0; limit -= 5) {
    mask = __ballot_sync(mask, lane < limit);
    if (lane >= limit) break;
    rounds += __popc(mask);
  }
  __syncwarp();
  out[lane] = rounds;
}

int main() {
  const int n = 96;
  int* d_out = upload(std::vector<int>(n, -1));
  halves<<<1, n>>>(d_out);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, n);
  for (int tid = 0; tid < n; ++tid) {
    const int first = tid / 32 * 32;
    const int expected = tid % 32 < 16 ? 16 * first + 120 : first + 20 + 100000;
    CHECK_EQ(out[tid], expected);
  }
  shrinking_mask<<<1, 32>>>(d_out);
  CHECK_LAUNCH();
  out = download(d_out, 32);
  for (int lane = 0; lane < 32; ++lane) {
    int expected = 0;
    for (int limit = 32; limit > 0 && lane < limit; limit -= 5) expected += limit;
    CHECK_EQ(out[lane], expected);
  }
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
