// The meter of a kernel library: counts at CUDA's functions what a launcher allocates, frees and launches.
//
// The library is linked with --wrap for the functions in meter.cpp, so the kernel file's calls of, say,
// cudaMalloc arrive at __wrap_cudaMalloc, and __real_cudaMalloc is the device's.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "call.h"

namespace flash_lessons {

// Bracket a call of a launcher: what this thread allocates and launches in between goes into result.
// skip_launches: kernels and memsets are not run, and report success.
void begin_metering(Result* result, bool skip_launches);
void end_metering();

// The device was reset and has freed whatever launchers held.
void forget_allocations();

#ifndef CPU_DEVICE
// Bytes of the library's __device__ and __constant__ variables. The CPU device counts them itself.
std::uint64_t registered_bytes();
#endif

}  // namespace flash_lessons

// The device's own functions, for what is no launcher's.
extern "C" {
cudaError_t __real_cudaMalloc(void** pointer, std::size_t bytes);
cudaError_t __real_cudaFree(void* pointer);
cudaError_t __real_cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream);
}
