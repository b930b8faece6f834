// Prefix sum of a long array by three kernels: scan each block, scan the block sums, add them
// back. Launches in one stream must see each other's results.
#include <cuda_runtime.h>

#include "check.h"

constexpr int kBlock = 256;

__global__ void scan_blocks(const int* in, int* out, int* block_sums, int n) {
  __shared__ int buffer[2][kBlock];
  const int tid = threadIdx.x, i = blockIdx.x * kBlock + tid;
  int now = 0;
  buffer[0][tid] = i < n ? in[i] : 0;
  __syncthreads();
  for (int offset = 1; offset < kBlock; offset *= 2) {
    int value = buffer[now][tid];
    if (tid >= offset) value += buffer[now][tid - offset];
    now = 1 - now;
    buffer[now][tid] = value;
    __syncthreads();
  }
  if (i < n) out[i] = buffer[now][tid];
  if (block_sums != nullptr && tid == kBlock - 1) block_sums[blockIdx.x] = buffer[now][tid];
}

__global__ void add_block_sums(int* data, const int* scanned_sums, int n) {
  const int i = blockIdx.x * kBlock + threadIdx.x;
  if (blockIdx.x > 0 && i < n) data[i] += scanned_sums[blockIdx.x - 1];
}

int main() {
  for (int n : {1, 256, 257, 20000, 65536}) {
    const int blocks = (n + kBlock - 1) / kBlock;
    std::vector<int> in(n);
    for (int i = 0; i < n; ++i) in[i] = (i * 17) % 23 - 9;
    int* d_in = upload(in);
    int* d_out = upload(std::vector<int>(n, -1));
    int* d_sums = upload(std::vector<int>(blocks, -1));
    scan_blocks<<<blocks, kBlock>>>(d_in, d_out, d_sums, n);
    scan_blocks<<<1, kBlock>>>(d_sums, d_sums, nullptr, blocks);
    add_block_sums<<<blocks, kBlock>>>(d_out, d_sums, n);
    CHECK_LAUNCH();
    std::vector<int> out = download(d_out, n);
    int sum = 0;
    for (int i = 0; i < n; ++i) {
      sum += in[i];
      CHECK_EQ(out[i], sum);
    }
    CHECK_CUDA(cudaFree(d_in));
    CHECK_CUDA(cudaFree(d_out));
    CHECK_CUDA(cudaFree(d_sums));
  }
  return check_result();
}
