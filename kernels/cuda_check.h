// CUDA_RETURN_IF_ERROR(call): the one way a launcher looks at the result of a CUDA call.
//
// Evaluates call once. If it did not give cudaSuccess, the enclosing function returns that error at
// once, so it has to return cudaError_t. Release what you hold before a call that may fail, or do
// not use the macro there:
//
//   float* scratch = nullptr;
//   CUDA_RETURN_IF_ERROR(cudaMallocAsync(&scratch, bytes, stream));
//   some_kernel<<<blocks, threads, 0, stream>>>(scratch);
//   const cudaError_t launched = cudaGetLastError();  // a launch returns nothing: ask
//   CUDA_RETURN_IF_ERROR(cudaFreeAsync(scratch, stream));
//   return launched;
#pragma once

#include <cuda_runtime.h>

#define CUDA_RETURN_IF_ERROR(...)                                 \
  do {                                                            \
    const cudaError_t cuda_check_error = (__VA_ARGS__);           \
    if (cuda_check_error != cudaSuccess) return cuda_check_error; \
  } while (false)
