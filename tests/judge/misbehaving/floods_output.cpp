// Prints 64 MiB, then returns as if nothing had happened.
#include <unistd.h>

#include <cstring>

#include "kernels/attention.h"

extern "C" cudaError_t attention_forward(
    const float*, const float*, const float*, float*, float*, AttentionShape, float, bool,
    cudaStream_t) {
  static char lines[1 << 16];
  std::memset(lines, 'x', sizeof(lines));
  for (int n = 0; n < 1024; ++n)
    if (write(n % 2 + 1, lines, sizeof(lines)) < 0) break;
  return cudaSuccess;
}
