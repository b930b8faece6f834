// cudaMallocAsync and cudaFreeAsync in stream order, scratch memory inside a launcher; a free that
// takes effect too early takes memory from a kernel that still runs.
#include <cuda_runtime.h>

#include "check.h"

__global__ void iota(int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = i;
}

__global__ void reverse(const int* in, int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[n - 1 - i];
}

cudaError_t reversed_iota(int* out, int n, cudaStream_t stream) {
  int* scratch = nullptr;
  cudaError_t error = cudaMallocAsync(&scratch, n * sizeof(int), stream);
  if (error != cudaSuccess) return error;
  iota<<<(n + 255) / 256, 256, 0, stream>>>(scratch, n);
  reverse<<<(n + 255) / 256, 256, 0, stream>>>(scratch, out, n);
  error = cudaGetLastError();
  const cudaError_t freed = cudaFreeAsync(scratch, stream);
  return error != cudaSuccess ? error : freed;
}

int main() {
  const int n = 5000;
  cudaStream_t stream;
  CHECK_CUDA(cudaStreamCreate(&stream));
  int* d_out = upload(std::vector<int>(n, -1));
  for (int repeat = 0; repeat < 4; ++repeat) {
    CHECK_CUDA(cudaMemsetAsync(d_out, 0xff, n * sizeof(int), stream));
    CHECK_CUDA(reversed_iota(d_out, n, repeat == 3 ? nullptr : stream));
    CHECK_CUDA(cudaDeviceSynchronize());
    std::vector<int> out = download(d_out, n);
    for (int i = 0; i < n; ++i) CHECK_EQ(out[i], n - 1 - i);
  }
  void* memory = nullptr;
  CHECK_CUDA(cudaMallocAsync(&memory, 1024, 0));
  CHECK_CUDA(cudaStreamSynchronize(0));
  CHECK_CUDA(cudaFree(memory));  // an ordinary free is allowed too
  CHECK_CUDA(cudaStreamDestroy(stream));
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
