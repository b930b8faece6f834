// cudaMemcpy and cudaMemcpyAsync in every direction, cudaMemcpyDefault too, with offsets into the
// middle of allocations; bytes beside the copied range must stay.
#include <cuda_runtime.h>

#include "check.h"

int main() {
  const int n = 1000;
  std::vector<int> source(n), target(n, -1);
  for (int i = 0; i < n; ++i) source[i] = i * i;
  int *d_a = nullptr, *d_b = nullptr;
  CHECK_CUDA(cudaMalloc(&d_a, n * sizeof(int)));
  CHECK_CUDA(cudaMalloc((void **)&d_b, n * sizeof(int)));

  CHECK_CUDA(cudaMemcpy(d_a, source.data(), n * sizeof(int), cudaMemcpyHostToDevice));
  CHECK_CUDA(cudaMemcpy(d_b, d_a, n * sizeof(int), cudaMemcpyDeviceToDevice));
  CHECK_CUDA(cudaMemcpy(target.data(), d_b, n * sizeof(int), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) CHECK_EQ(target[i], i * i);

  std::vector<int> host_copy(n, -1);
  CHECK_CUDA(cudaMemcpy(host_copy.data(), source.data(), n * sizeof(int), cudaMemcpyHostToHost));
  for (int i = 0; i < n; ++i) CHECK_EQ(host_copy[i], i * i);

  // The direction is found from the pointers.
  CHECK_CUDA(cudaMemset(d_a, 0, n * sizeof(int)));
  CHECK_CUDA(cudaMemcpy(d_a + 10, source.data() + 20, 30 * sizeof(int), cudaMemcpyDefault));
  CHECK_CUDA(cudaMemcpy(d_b, d_a, 100 * sizeof(int), cudaMemcpyDefault));
  CHECK_CUDA(cudaMemcpy(target.data(), d_b, n * sizeof(int), cudaMemcpyDefault));
  for (int i = 0; i < n; ++i) {
    const int expected = i < 100 ? (i >= 10 && i < 40 ? (i + 10) * (i + 10) : 0) : i * i;
    CHECK_EQ(target[i], expected);
  }

  // One odd byte in the middle.
  const char byte = 0x7f;
  CHECK_CUDA(cudaMemcpy((char *)d_a + 401, &byte, 1, cudaMemcpyHostToDevice));
  CHECK_EQ(download(d_a + 100, 1)[0], 0x7f00);
  CHECK_EQ(download(d_a + 101, 1)[0], 0);

  cudaStream_t stream;
  CHECK_CUDA(cudaStreamCreate(&stream));
  CHECK_CUDA(cudaMemcpyAsync(d_a, source.data(), n * sizeof(int), cudaMemcpyHostToDevice, stream));
  CHECK_CUDA(cudaMemcpyAsync(d_b, d_a, n * sizeof(int), cudaMemcpyDeviceToDevice, stream));
  CHECK_CUDA(cudaMemcpyAsync(target.data(), d_b, n * sizeof(int), cudaMemcpyDeviceToHost, stream));
  CHECK_CUDA(cudaStreamSynchronize(stream));
  for (int i = 0; i < n; ++i) CHECK_EQ(target[i], i * i);
  CHECK_CUDA(cudaStreamDestroy(stream));

  CHECK_CUDA(cudaMemcpy(nullptr, nullptr, 0, cudaMemcpyDeviceToHost));  // nothing to copy
  CHECK_CUDA(cudaFree(d_a));
  CHECK_CUDA(cudaFree(d_b));
  return check_result();
}
