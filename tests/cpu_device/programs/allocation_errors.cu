// Too large, zero and null allocations, double and foreign frees: CUDA's codes, and a device that
// works afterwards.
// allow: error invalid-free
#include <cuda_runtime.h>

#include "check.h"

__global__ void increment(int* data, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) data[i] += 1;
}

void device_still_works() {
  int* data = upload(std::vector<int>(100, 41));
  increment<<<1, 128>>>(data, 100);
  CHECK_LAUNCH();
  for (int x : download(data, 100)) CHECK_EQ(x, 42);
  CHECK_CUDA(cudaFree(data));
}

int main() {
  void* pointer = nullptr;
  CHECK_ERROR(cudaMalloc(&pointer, size_t(1) << 50), cudaErrorMemoryAllocation);
  CHECK_ERROR(cudaGetLastError(), cudaErrorMemoryAllocation);
  device_still_works();

  CHECK_CUDA(cudaMalloc(&pointer, 0));
  CHECK(pointer == nullptr);
  CHECK_CUDA(cudaFree(pointer));
  CHECK_CUDA(cudaFree(nullptr));
  CHECK_CUDA(cudaFree(0));
  CHECK_CUDA(cudaFreeHost(nullptr));
  CHECK_ERROR(cudaMalloc((void**)nullptr, 16), cudaErrorInvalidValue);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidValue);
  device_still_works();

  int* twice = nullptr;
  CHECK_CUDA(cudaMalloc(&twice, 64));
  CHECK_CUDA(cudaFree(twice));
  CHECK_ERROR(cudaFree(twice), cudaErrorInvalidValue);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidValue);
  int on_the_stack = 0;
  CHECK_ERROR(cudaFree(&on_the_stack), cudaErrorInvalidValue);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidValue);
  device_still_works();

  // Allocations are aligned to 256 bytes and do not overlap.
  char* blocks[16] = {};
  for (char*& block : blocks) {
    CHECK_CUDA(cudaMalloc(&block, 100));
    CHECK_EQ(reinterpret_cast<size_t>(block) % 256, 0u);
  }
  for (int i = 0; i < 16; ++i) CHECK_CUDA(cudaMemset(blocks[i], i, 100));
  for (int i = 0; i < 16; ++i) {
    std::vector<char> bytes = download(blocks[i], 100);
    for (char byte : bytes) CHECK_EQ(static_cast<int>(byte), i);
    CHECK_CUDA(cudaFree(blocks[i]));
  }
  return check_result();
}
