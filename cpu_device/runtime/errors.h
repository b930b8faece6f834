// The runtime's error state: the last error of each host thread, and the sticky error that a faulting kernel leaves.
#pragma once

#include "cuda_runtime_api.h"

namespace cpu_device {

// Remembers a failed call for cudaGetLastError and returns the code, so that API functions can end with
// `return report(error)`. A sticky error, once set, replaces every later result.
cudaError_t report(cudaError_t error);

// Called at the start of API functions that touch the device: the sticky error, or cudaSuccess.
cudaError_t sticky_error();
void set_sticky_error(cudaError_t error);
void clear_errors();

// From now on a process that is forked from this one gets cudaErrorInitializationError from every call, as with a GPU:
// the threads that run blocks are not forked with it.
void refuse_work_after_fork();

}  // namespace cpu_device
