// Kernels that only the benchmarks use.
#include <cuda_runtime.h>

// Every thread passes `rounds` barriers and does nothing else.
__global__ void barriers(int rounds) {
  for (int i = 0; i < rounds; ++i) __syncthreads();
}

extern "C" cudaError_t run_barriers(int threads, int rounds) {
  barriers<<<1, threads>>>(rounds);
  return cudaGetLastError();
}
