// Full blocks of 1,024 threads that cross a barrier hundreds of times: values move one place per
// round.
#include <cuda_runtime.h>

#include "check.h"

__global__ void __launch_bounds__(1024) rotate(int* data, int rounds) {
  __shared__ int values[1024];
  const int tid = threadIdx.x;
  values[tid] = data[blockIdx.x * 1024 + tid];
  __syncthreads();
  for (int r = 0; r < rounds; ++r) {
    const int next = values[(tid + 1) & 1023];
    __syncthreads();
    values[tid] = next + (tid == 0 ? 1 : 0);
    __syncthreads();
  }
  data[blockIdx.x * 1024 + tid] = values[tid];
}

int main() {
  const int blocks = 4, rounds = 300, n = blocks * 1024;
  std::vector<int> data(n);
  for (int i = 0; i < n; ++i) data[i] = i * 10;
  int* d_data = upload(data);
  rotate<<<blocks, 1024>>>(d_data, rounds);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_data, n);
  for (int b = 0; b < blocks; ++b) {
    std::vector<int> values(data.begin() + b * 1024, data.begin() + (b + 1) * 1024);
    for (int r = 0; r < rounds; ++r) {
      const int first = values[0];
      for (int i = 0; i < 1023; ++i) values[i] = values[i + 1];
      values[1023] = first;
      values[0] += 1;
    }
    for (int i = 0; i < 1024; ++i) CHECK_EQ(out[b * 1024 + i], values[i]);
  }
  CHECK_CUDA(cudaFree(d_data));
  return check_result();
}
