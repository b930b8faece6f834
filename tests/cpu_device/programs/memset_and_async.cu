// cudaMemset and cudaMemsetAsync set bytes, of a part of an allocation, in stream order with
// kernels.
#include <cuda_runtime.h>

#include "check.h"

__global__ void add(int* data, int n, int value) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) data[i] += value;
}

int main() {
  const int n = 777;
  int* d_data = nullptr;
  CHECK_CUDA(cudaMalloc(&d_data, n * sizeof(int)));
  CHECK_CUDA(cudaMemset(d_data, 0x01, n * sizeof(int)));
  for (int x : download(d_data, n)) CHECK_EQ(x, 0x01010101);
  CHECK_CUDA(cudaMemset(d_data + 10, 0x1ff, 5 * sizeof(int)));  // only the low byte counts
  std::vector<int> data = download(d_data, n);
  for (int i = 0; i < n; ++i) CHECK_EQ(data[i], i >= 10 && i < 15 ? -1 : 0x01010101);
  CHECK_CUDA(cudaMemset((char*)d_data + 1, 0, 2));
  CHECK_EQ(download(d_data, 1)[0], 0x01000001);

  cudaStream_t stream;
  CHECK_CUDA(cudaStreamCreate(&stream));
  CHECK_CUDA(cudaMemsetAsync(d_data, 0, n * sizeof(int), stream));
  add<<<4, 256, 0, stream>>>(d_data, n, 5);
  CHECK_CUDA(cudaMemsetAsync(d_data + n / 2, 0, sizeof(int), stream));
  add<<<4, 256, 0, stream>>>(d_data, n, 2);
  CHECK_CUDA(cudaStreamSynchronize(stream));
  data = download(d_data, n);
  for (int i = 0; i < n; ++i) CHECK_EQ(data[i], i == n / 2 ? 2 : 7);
  CHECK_CUDA(cudaStreamDestroy(stream));
  CHECK_CUDA(cudaMemset(d_data, 0, 0));
  CHECK_CUDA(cudaFree(d_data));
  return check_result();
}
