// Device count, properties and attributes must agree with each other and with what every current
// GPU has.
#include <cuda_runtime.h>

#include "check.h"

int attribute(cudaDeviceAttr which) {
  int value = -1;
  CHECK_CUDA(cudaDeviceGetAttribute(&value, which, 0));
  return value;
}

int main() {
  int count = 0, device = -1;
  CHECK_CUDA(cudaGetDeviceCount(&count));
  CHECK(count >= 1);
  CHECK_CUDA(cudaSetDevice(0));
  CHECK_CUDA(cudaGetDevice(&device));
  CHECK_EQ(device, 0);

  cudaDeviceProp prop;
  CHECK_CUDA(cudaGetDeviceProperties(&prop, 0));
  CHECK(prop.name[0] != '\0');
  CHECK_EQ(prop.warpSize, 32);
  CHECK_EQ(prop.maxThreadsPerBlock, 1024);
  CHECK_EQ(prop.maxThreadsDim[0], 1024);
  CHECK_EQ(prop.maxThreadsDim[1], 1024);
  CHECK_EQ(prop.maxThreadsDim[2], 64);
  CHECK_EQ(prop.maxGridSize[0], 2147483647);
  CHECK_EQ(prop.maxGridSize[1], 65535);
  CHECK_EQ(prop.maxGridSize[2], 65535);
  CHECK_EQ(prop.sharedMemPerBlock, 48u * 1024);
  CHECK(prop.sharedMemPerBlockOptin >= 64u * 1024);
  CHECK(prop.sharedMemPerMultiprocessor >= prop.sharedMemPerBlockOptin);
  CHECK_EQ(prop.totalConstMem, 64u * 1024);
  CHECK(prop.major >= 7);
  CHECK(prop.multiProcessorCount >= 1);
  CHECK(prop.maxThreadsPerMultiProcessor >= 1024);
  CHECK(prop.regsPerBlock >= 32768);
  CHECK(prop.totalGlobalMem > 0);

  CHECK_EQ(attribute(cudaDevAttrWarpSize), prop.warpSize);
  CHECK_EQ(attribute(cudaDevAttrMaxThreadsPerBlock), prop.maxThreadsPerBlock);
  CHECK_EQ(attribute(cudaDevAttrMaxBlockDimX), prop.maxThreadsDim[0]);
  CHECK_EQ(attribute(cudaDevAttrMaxBlockDimZ), prop.maxThreadsDim[2]);
  CHECK_EQ(attribute(cudaDevAttrMaxGridDimX), prop.maxGridSize[0]);
  CHECK_EQ(attribute(cudaDevAttrMaxGridDimY), prop.maxGridSize[1]);
  CHECK_EQ(attribute(cudaDevAttrMaxSharedMemoryPerBlock), static_cast<int>(prop.sharedMemPerBlock));
  CHECK_EQ(
      attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin),
      static_cast<int>(prop.sharedMemPerBlockOptin));
  CHECK_EQ(
      attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor),
      static_cast<int>(prop.sharedMemPerMultiprocessor));
  CHECK_EQ(attribute(cudaDevAttrMultiProcessorCount), prop.multiProcessorCount);
  CHECK_EQ(attribute(cudaDevAttrComputeCapabilityMajor), prop.major);
  CHECK_EQ(attribute(cudaDevAttrComputeCapabilityMinor), prop.minor);
  CHECK_EQ(attribute(cudaDevAttrMaxThreadsPerMultiProcessor), prop.maxThreadsPerMultiProcessor);

  int version = 0;
  CHECK_CUDA(cudaRuntimeGetVersion(&version));
  CHECK(version >= 12000);
  CHECK_CUDA(cudaDriverGetVersion(&version));
  CHECK(version >= 12000);
  CHECK_ERROR(cudaGetDeviceProperties(&prop, 1000), cudaErrorInvalidDevice);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidDevice);
  return check_result();
}
