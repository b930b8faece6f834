// Dies of a signal, after a last word.
#include <cstdio>
#include <cstdlib>

#include "kernels/attention.h"

extern "C" cudaError_t attention_forward(
    const float*, const float*, const float*, float*, float*, AttentionShape, float, bool,
    cudaStream_t) {
  std::fprintf(stderr, "\x1b[31mlast words\x1b[0m\n");
  std::abort();
}
