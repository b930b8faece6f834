// Tree reductions with a barrier per level, sequential and interleaved; a missing barrier gives a
// partial sum.
#include <cuda_runtime.h>

#include "check.h"

__global__ void reduce_sequential(const int* in, int* out, int n) {
  __shared__ int partial[256];
  int tid = threadIdx.x;
  int i = blockIdx.x * blockDim.x + tid;
  partial[tid] = i < n ? in[i] : 0;
  __syncthreads();
  for (unsigned int s = blockDim.x / 2; s > 0; s >>= 1) {
    if (tid < s) partial[tid] += partial[tid + s];
    __syncthreads();
  }
  if (tid == 0) out[blockIdx.x] = partial[0];
}

__global__ void reduce_interleaved(const int* in, int* out, int n) {
  extern __shared__ int sums[];
  unsigned int tid = threadIdx.x;
  unsigned int i = blockIdx.x * blockDim.x + tid;
  sums[tid] = i < n ? in[i] : 0;
  __syncthreads();
  for (unsigned int s = 1; s < blockDim.x; s *= 2) {
    unsigned int index = 2 * s * tid;
    if (index < blockDim.x) sums[index] += sums[index + s];
    __syncthreads();
  }
  if (tid == 0) out[blockIdx.x] = sums[0];
}

int main() {
  const int n = 5000, threads = 256, blocks = (n + threads - 1) / threads;
  std::vector<int> in(n);
  for (int i = 0; i < n; ++i) in[i] = (i * 37) % 1001 - 500;
  int* d_in = upload(in);
  int* d_out = upload(std::vector<int>(2 * blocks, -1));
  reduce_sequential<<<blocks, threads>>>(d_in, d_out, n);
  reduce_interleaved<<<blocks, threads, threads * sizeof(int)>>>(d_in, d_out + blocks, n);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, 2 * blocks);
  for (int b = 0; b < blocks; ++b) {
    int expected = 0;
    for (int i = b * threads; i < n && i < (b + 1) * threads; ++i) expected += in[i];
    CHECK_EQ(out[b], expected);
    CHECK_EQ(out[blocks + b], expected);
  }
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
