// Block sum by __shfl_down_sync inside warps and one shared slot per warp; a shuffle that reads
// the wrong lane, or a stale value, changes the sum.
#include <cuda_runtime.h>

#include "check.h"

__inline__ __device__ float warp_sum(float value) {
  for (int offset = warpSize / 2; offset > 0; offset /= 2) {
    value += __shfl_down_sync(0xffffffff, value, offset);
  }
  return value;
}

__inline__ __device__ float block_sum(float value) {
  static __shared__ float shared[32];  // one partial sum per warp
  int lane = threadIdx.x % warpSize;
  int warp = threadIdx.x / warpSize;
  value = warp_sum(value);
  if (lane == 0) shared[warp] = value;
  __syncthreads();
  value = threadIdx.x < blockDim.x / warpSize ? shared[lane] : 0.0f;
  if (warp == 0) value = warp_sum(value);
  return value;
}

__global__ void reduce(const float* in, float* out, int n) {
  float sum = 0.0f;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) {
    sum += in[i];
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

int main() {
  const int n = 20011;
  std::vector<float> in(n);
  float expected = 0.0f;
  for (int i = 0; i < n; ++i) {
    in[i] = static_cast<float>(i % 19 - 9);
    expected += in[i];  // integers below 2^24: exact in any order
  }
  float* d_in = upload(in);
  for (int threads : {32, 64, 256, 1024}) {
    for (int blocks : {1, 5}) {
      float* d_out = upload(std::vector<float>(blocks, NAN));
      float* d_total = upload(std::vector<float>(1, NAN));
      reduce<<<blocks, threads>>>(d_in, d_out, n);
      reduce<<<1, 32>>>(d_out, d_total, blocks);
      CHECK_LAUNCH();
      CHECK_EQ(download(d_total, 1)[0], expected);
      CHECK_CUDA(cudaFree(d_out));
      CHECK_CUDA(cudaFree(d_total));
    }
  }
  CHECK_CUDA(cudaFree(d_in));
  return check_result();
}
