// Asks for as much memory as a size that overflowed.
#include <cstdint>

#include "kernels/attention.h"

extern "C" cudaError_t attention_forward(
    const float*, const float*, const float*, float*, float*, AttentionShape, float, bool,
    cudaStream_t) {
  void* scratch;
  return cudaMalloc(&scratch, SIZE_MAX - 4095);
}
