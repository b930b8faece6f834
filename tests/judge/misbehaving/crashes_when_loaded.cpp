// Dies before anybody calls it.
#include <cstdlib>

#include "kernels/attention.h"

namespace {
const int dead = (std::abort(), 0);
}

extern "C" cudaError_t attention_forward(
    const float*, const float*, const float*, float*, float*, AttentionShape, float, bool,
    cudaStream_t) {
  return static_cast<cudaError_t>(dead);
}
