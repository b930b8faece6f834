// __syncwarp with full and partial masks orders shared memory inside a warp; lanes outside of the
// mask must not be waited for.
#include <cuda_runtime.h>

#include "check.h"

__global__ void neighbours(int* out) {
  __shared__ int values[64];
  const int tid = threadIdx.x, lane = tid % 32, warp = tid / 32;
  int* mine = values + warp * 32;

  mine[lane] = lane * 3;
  __syncwarp();
  const int right = mine[(lane + 1) % 32];
  __syncwarp();

  int low = -1;
  if (lane < 10) {  // ten lanes work on, twenty-two skip ahead
    mine[lane] = right + 1000;
    __syncwarp(0x3ff);
    low = mine[9 - lane];
  }
  __syncwarp();

  int odd = -1;
  if (lane % 2 == 1) {
    mine[lane] = lane;
    __syncwarp(0xaaaaaaaau);
    odd = mine[(lane + 2) % 32];
  }
  out[tid] = right;
  out[64 + tid] = low;
  out[128 + tid] = odd;
}

// Tree reduction of one warp in shared memory: the textbook use of __syncwarp.
__global__ void warp_reduce(int* out) {
  __shared__ int sums[32];
  const int lane = threadIdx.x;
  sums[lane] = lane + 1;
  __syncwarp();
  for (int offset = 16; offset > 0; offset /= 2) {
    int sum = sums[lane] + (lane < offset ? sums[lane + offset] : 0);
    __syncwarp();
    sums[lane] = sum;
    __syncwarp();
  }
  out[lane] = sums[0];
}

int main() {
  int* d_out = upload(std::vector<int>(3 * 64, -2));
  neighbours<<<1, 64>>>(d_out);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, 3 * 64);
  for (int tid = 0; tid < 64; ++tid) {
    const int lane = tid % 32;
    CHECK_EQ(out[tid], (lane + 1) % 32 * 3);
    CHECK_EQ(out[64 + tid], lane < 10 ? (9 - lane + 1) * 3 + 1000 : -1);
    CHECK_EQ(out[128 + tid], lane % 2 == 1 ? (lane + 2) % 32 : -1);
  }
  warp_reduce<<<1, 32>>>(d_out);
  CHECK_LAUNCH();
  out = download(d_out, 32);
  for (int lane = 0; lane < 32; ++lane) CHECK_EQ(out[lane], 32 * 33 / 2);
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
