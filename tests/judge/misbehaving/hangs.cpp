// Never returns.
#include <unistd.h>

#include "kernels/attention.h"

extern "C" cudaError_t attention_forward(
    const float*, const float*, const float*, float*, float*, AttentionShape, float, bool,
    cudaStream_t) {
  for (;;) pause();
}
