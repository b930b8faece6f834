// Allocates 1,000 bytes of every kind and frees all but one of them.
#include "kernels/attention.h"

extern "C" cudaError_t attention_forward(
    const float *, const float *, const float *, float *, float *, AttentionShape, float, bool,
    cudaStream_t stream) {
  void *plain, *async, *managed, *host, *pitched;
  size_t pitch;
  if (cudaMalloc(&plain, 1000) != cudaSuccess) return cudaErrorMemoryAllocation;
  if (cudaMallocAsync(&async, 1000, stream) != cudaSuccess) return cudaErrorMemoryAllocation;
  if (cudaMallocManaged(&managed, 1000) != cudaSuccess) return cudaErrorMemoryAllocation;
  if (cudaMallocHost(&host, 1000) != cudaSuccess) return cudaErrorMemoryAllocation;
  if (cudaMallocPitch(&pitched, &pitch, 1000, 1) != cudaSuccess) return cudaErrorMemoryAllocation;
  static_cast<char *>(host)[0] = 1;  // host memory is there even in a dry run
  if (cudaMemsetAsync(async, 0, 1000, stream) != cudaSuccess) return cudaErrorInvalidValue;
  cudaFreeAsync(async, stream);
  cudaFree(managed);
  cudaFreeHost(host);
  cudaFree(pitched);
  return cudaSuccess;
}
