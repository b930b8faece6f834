// cudaGetLastError clears the error, cudaPeekAtLastError does not, a success does not hide an
// earlier failure, and names and strings are CUDA's.
// allow: error launch-error
#include <cuda_runtime.h>

#include "check.h"

__global__ void noop() {}

int main() {
  CHECK_CUDA(cudaPeekAtLastError());
  CHECK_CUDA(cudaGetLastError());

  noop<<<1, 1025>>>();
  const cudaError_t refused = cudaPeekAtLastError();  // invalid configuration, or value in CUDA 13
  CHECK(refused == cudaErrorInvalidConfiguration || refused == cudaErrorInvalidValue);
  CHECK_ERROR(cudaPeekAtLastError(), refused);
  CHECK_ERROR(cudaGetLastError(), refused);
  CHECK_CUDA(cudaGetLastError());
  CHECK_CUDA(cudaPeekAtLastError());

  noop<<<1, 1025>>>();
  noop<<<1, 1>>>();  // succeeds, and keeps the error of the launch before
  CHECK_CUDA(cudaDeviceSynchronize());
  CHECK_ERROR(cudaGetLastError(), refused);

  // An error returned by a call is also the last error.
  void* pointer = nullptr;
  CHECK_ERROR(
      cudaMemcpy(&pointer, &pointer, 8, static_cast<cudaMemcpyKind>(77)),
      cudaErrorInvalidMemcpyDirection);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidMemcpyDirection);
  CHECK_ERROR(cudaSetDevice(1000), cudaErrorInvalidDevice);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidDevice);
  CHECK_CUDA(cudaGetLastError());

  const struct {
    cudaError_t error;
    int code;
    const char* name;
    const char* text;
  } known[] = {
      {cudaSuccess, 0, "cudaSuccess", "no error"},
      {cudaErrorInvalidValue, 1, "cudaErrorInvalidValue", "invalid argument"},
      {cudaErrorMemoryAllocation, 2, "cudaErrorMemoryAllocation", "out of memory"},
      {cudaErrorInvalidConfiguration, 9, "cudaErrorInvalidConfiguration",
       "invalid configuration argument"},
      {cudaErrorInvalidMemcpyDirection, 21, "cudaErrorInvalidMemcpyDirection",
       "invalid copy direction for memcpy"},
      {cudaErrorInvalidDevice, 101, "cudaErrorInvalidDevice", "invalid device ordinal"},
      {cudaErrorInvalidResourceHandle, 400, "cudaErrorInvalidResourceHandle",
       "invalid resource handle"},
      {cudaErrorNotReady, 600, "cudaErrorNotReady", "device not ready"},
      {cudaErrorIllegalAddress, 700, "cudaErrorIllegalAddress",
       "an illegal memory access was encountered"},
      {cudaErrorLaunchTimeout, 702, "cudaErrorLaunchTimeout",
       "the launch timed out and was terminated"},
      {cudaErrorAssert, 710, "cudaErrorAssert", "device-side assert triggered"},
      {cudaErrorLaunchFailure, 719, "cudaErrorLaunchFailure", "unspecified launch failure"},
      {cudaErrorNotSupported, 801, "cudaErrorNotSupported", "operation not supported"},
      {cudaErrorUnknown, 999, "cudaErrorUnknown", "unknown error"},
  };
  for (const auto& entry : known) {
    CHECK_EQ(static_cast<int>(entry.error), entry.code);
    CHECK_EQ(std::string(cudaGetErrorName(entry.error)), entry.name);
    CHECK_EQ(std::string(cudaGetErrorString(entry.error)), entry.text);
  }
  CHECK_EQ(
      std::string(cudaGetErrorName(static_cast<cudaError_t>(12345))), "unrecognized error code");
  return check_result();
}
