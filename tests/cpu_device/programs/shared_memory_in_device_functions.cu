// Static __shared__ arrays inside __device__ helpers called by two kernels and twice by one, and
// one per template instance; blocks that run at the same time must not share them.
#include <cuda_runtime.h>

#include "check.h"

__device__ int reverse_in_block(int value) {
  __shared__ int buffer[128];
  buffer[threadIdx.x] = value;
  __syncthreads();
  const int reversed = buffer[blockDim.x - 1 - threadIdx.x];
  __syncthreads();  // the buffer may be used again
  return reversed;
}

template <typename T, int OFFSET>
__device__ T rotate(T value) {
  static __shared__ T buffer[128];
  buffer[threadIdx.x] = value;
  __syncthreads();
  const T rotated = buffer[(threadIdx.x + OFFSET) % blockDim.x];
  __syncthreads();
  return rotated;
}

__global__ void once(int* out) {
  out[blockIdx.x * blockDim.x + threadIdx.x] = reverse_in_block(blockIdx.x * 1000 + threadIdx.x);
}

__global__ void twice(int* out) {
  __shared__ int base;  // a scalar beside the helpers' arrays
  if (threadIdx.x == 0) base = blockIdx.x * 1000;
  __syncthreads();
  int value = reverse_in_block(base + threadIdx.x);
  value = rotate<int, 3>(value);
  value = reverse_in_block(value);
  const double wide = rotate<double, 1>(value + 0.5);
  out[blockIdx.x * blockDim.x + threadIdx.x] = static_cast<int>(2 * wide);
}

int main() {
  const int blocks = 40, threads = 128, n = blocks * threads;
  int* d_out = upload(std::vector<int>(n, -1));
  once<<<blocks, threads>>>(d_out);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, n);
  for (int i = 0; i < n; ++i) CHECK_EQ(out[i], i / threads * 1000 + threads - 1 - i % threads);
  twice<<<blocks, threads>>>(d_out);
  CHECK_LAUNCH();
  out = download(d_out, n);
  for (int i = 0; i < n; ++i) {
    const int tid = (i + 1) % threads;       // rotated by one
    const int mirrored = threads - 1 - tid;  // reversed
    const int rotated = (mirrored + 3) % threads;
    const int source = threads - 1 - rotated;  // reversed again
    CHECK_EQ(out[i], 2 * (i / threads * 1000 + source) + 1);
  }
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
