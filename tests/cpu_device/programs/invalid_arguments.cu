// Wrong arguments to API calls: each returns CUDA's code, sets the last error, changes nothing,
// and the device goes on working. The codes are those that an H200 gave with CUDA 13.0.
// allow: error invalid-free
#include <cuda_runtime.h>

#include "check.h"

__global__ void increment(int* data) { data[threadIdx.x] += 1; }

#define CHECK_REFUSED(call, error)          \
  do {                                      \
    CHECK_ERROR(call, error);               \
    CHECK_ERROR(cudaGetLastError(), error); \
    CHECK_CUDA(cudaGetLastError());         \
  } while (0)

int main() {
  int host[16] = {};
  int* d = upload(std::vector<int>(16, 5));

  // Copies and fills.
  CHECK_REFUSED(cudaMemcpy(nullptr, host, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CHECK_REFUSED(cudaMemcpy(host, nullptr, 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  CHECK_REFUSED(cudaMemcpy(d, host, 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  CHECK_REFUSED(cudaMemcpy(host, d, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CHECK_REFUSED(
      cudaMemcpy(d, host, 4, static_cast<cudaMemcpyKind>(9)), cudaErrorInvalidMemcpyDirection);
  CHECK_REFUSED(cudaMemset(nullptr, 0, 4), cudaErrorInvalidValue);
  CHECK_REFUSED(cudaMemset(host, 0, 4), cudaErrorInvalidValue);
  CHECK_REFUSED(cudaMemset(d, 0, 1 << 26), cudaErrorInvalidValue);
  CHECK_REFUSED(cudaMemcpyToSymbol((const void*)host, host, 4), cudaErrorInvalidSymbol);

  // Allocation.
  int* p = nullptr;
  CHECK_REFUSED(cudaMalloc((void**)nullptr, 4), cudaErrorInvalidValue);
  CHECK_REFUSED(cudaMalloc(&p, size_t(1) << 60), cudaErrorMemoryAllocation);
  CHECK_REFUSED(cudaMallocAsync(&p, size_t(1) << 50, 0), cudaErrorMemoryAllocation);
  CHECK_REFUSED(cudaFree(d + 1), cudaErrorInvalidValue);
  CHECK_REFUSED(cudaFree(host), cudaErrorInvalidValue);
  CHECK_REFUSED(cudaFreeHost(host), cudaErrorInvalidValue);
  CHECK_REFUSED(cudaFreeHost(d), cudaErrorInvalidValue);

  // Devices, events, streams.
  int value = 0;
  CHECK_REFUSED(
      cudaDeviceGetAttribute(&value, static_cast<cudaDeviceAttr>(9999), 0), cudaErrorInvalidValue);
  CHECK_REFUSED(cudaDeviceGetAttribute(&value, cudaDevAttrWarpSize, 1000), cudaErrorInvalidDevice);
  CHECK_REFUSED(cudaSetDevice(-1), cudaErrorInvalidDevice);
  CHECK_REFUSED(cudaGetDevice(nullptr), cudaErrorInvalidValue);
  CHECK_REFUSED(cudaEventRecord(nullptr, 0), cudaErrorInvalidResourceHandle);
  CHECK_REFUSED(cudaEventDestroy(nullptr), cudaErrorInvalidResourceHandle);
  CHECK_REFUSED(cudaStreamDestroy(nullptr), cudaErrorInvalidResourceHandle);
  cudaEvent_t first, second;
  CHECK_CUDA(cudaEventCreate(&first));
  CHECK_CUDA(cudaEventCreate(&second));
  float milliseconds = 0.0f;
  CHECK_REFUSED(cudaEventElapsedTime(&milliseconds, first, second), cudaErrorInvalidResourceHandle);
  CHECK_CUDA(cudaEventQuery(first));  // never recorded: complete
  CHECK_CUDA(cudaEventSynchronize(first));
  CHECK_CUDA(cudaEventDestroy(first));
  CHECK_CUDA(cudaEventDestroy(second));

  // Kernels.
  CHECK_REFUSED(
      cudaFuncSetAttribute(increment, cudaFuncAttributeMaxDynamicSharedMemorySize, -5),
      cudaErrorInvalidValue);
  CHECK_REFUSED(
      cudaFuncSetAttribute(increment, cudaFuncAttributeMaxDynamicSharedMemorySize, 1 << 24),
      cudaErrorInvalidValue);
  int blocks = -1;
  CHECK_REFUSED(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, increment, 0, 0),
      cudaErrorInvalidValue);
  CHECK_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, increment, 128, 1 << 20));
  CHECK_EQ(blocks, 0);
  CHECK_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, increment, 2000, 0));
  CHECK_EQ(blocks, 0);

  // Nulls that are allowed.
  CHECK_CUDA(cudaFree(nullptr));
  CHECK_CUDA(cudaFreeHost(nullptr));
  CHECK_CUDA(cudaFreeAsync(nullptr, 0));
  CHECK_CUDA(cudaStreamSynchronize(nullptr));
  p = d;
  CHECK_CUDA(cudaMallocHost(&p, 0));
  CHECK(p == nullptr);

  increment<<<1, 16>>>(d);
  CHECK_LAUNCH();
  for (int x : download(d, 16)) CHECK_EQ(x, 6);
  CHECK_CUDA(cudaFree(d));
  return check_result();
}
