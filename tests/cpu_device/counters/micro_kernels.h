/* Small kernels that each make one pattern of accesses, to compare the CPU device's counters with a GPU's. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* The names of all kernels, ended by a null pointer; a name is also the kernel's name in a profiler. */
const char* const* micro_kernel_names(void);

/* Launches the kernel of that name once and waits for it. A cudaError_t: cudaErrorInvalidValue if there is none. */
int run_micro_kernel(const char* name);

#ifdef __cplusplus
}
#endif
