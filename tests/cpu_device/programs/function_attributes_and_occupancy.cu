// cudaFuncGetAttributes and the occupancy calls: shared memory sizes per kernel and per instance,
// and occupancy that falls as blocks grow.
#include <cuda_runtime.h>

#include "check.h"

template <int WORDS>
__global__ void with_shared(int* out) {
  __shared__ int values[WORDS];
  values[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

__global__ void without_shared(int* out) { out[threadIdx.x] = 1; }

__global__ void __launch_bounds__(256) bounded(int* out) { out[threadIdx.x] = 1; }

__global__ void dynamic(int* out) {
  extern __shared__ int values[];
  values[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = values[0];
}

int main() {
  cudaFuncAttributes attributes;
  CHECK_CUDA(cudaFuncGetAttributes(&attributes, without_shared));
  CHECK_EQ(attributes.sharedSizeBytes, 0u);
  CHECK_EQ(attributes.maxThreadsPerBlock, 1024);
  CHECK_EQ(attributes.maxDynamicSharedSizeBytes, 48 * 1024);
  CHECK(attributes.numRegs >= 1);
  CHECK_CUDA(cudaFuncGetAttributes(&attributes, with_shared<512>));
  CHECK_EQ(attributes.sharedSizeBytes, 2048u);
  CHECK_EQ(attributes.maxDynamicSharedSizeBytes, 46 * 1024);
  CHECK_CUDA(cudaFuncGetAttributes(&attributes, with_shared<2048>));
  CHECK_EQ(attributes.sharedSizeBytes, 8192u);
  CHECK_CUDA(cudaFuncGetAttributes(&attributes, (const void*)bounded));
  CHECK_EQ(attributes.maxThreadsPerBlock, 256);
  CHECK_CUDA(cudaFuncSetAttribute(dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, 65536));
  CHECK_CUDA(cudaFuncGetAttributes(&attributes, dynamic));
  CHECK_EQ(attributes.maxDynamicSharedSizeBytes, 65536);
  CHECK_EQ(attributes.sharedSizeBytes, 0u);
  CHECK_CUDA(cudaFuncSetAttribute(
      dynamic, cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared));
  CHECK_ERROR(
      cudaFuncGetAttributes(&attributes, (const void*)nullptr), cudaErrorInvalidDeviceFunction);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidDeviceFunction);

  cudaDeviceProp prop;
  CHECK_CUDA(cudaGetDeviceProperties(&prop, 0));
  int blocks = 0;
  CHECK_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, without_shared, 1024, 0));
  CHECK_EQ(blocks, prop.maxThreadsPerMultiProcessor / 1024);
  CHECK_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, dynamic, 32, 65536));
  const int by_shared = static_cast<int>(prop.sharedMemPerMultiprocessor) / 65536;
  CHECK(blocks >= 1 && blocks <= by_shared);
  int small = 0, large = 0;
  CHECK_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&small, with_shared<512>, 128, 0));
  CHECK_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&large, with_shared<8192>, 128, 0));
  CHECK(small > large && large >= 1);

  int min_grid = 0, block = 0;
  CHECK_CUDA(cudaOccupancyMaxPotentialBlockSize(&min_grid, &block, bounded, 0, 0));
  CHECK(block >= 32 && block <= 256 && block % 32 == 0);
  CHECK(min_grid >= 1);
  int* d_out = upload(std::vector<int>(1024, -1));
  CHECK_CUDA(cudaOccupancyMaxPotentialBlockSize(&min_grid, &block, with_shared<1024>));
  with_shared<1024><<<1, block>>>(d_out);
  CHECK_LAUNCH();
  CHECK_EQ(download(d_out, 1)[0], block - 1);
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
