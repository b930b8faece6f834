// A device function with a barrier, for divergent_barrier_in_header.cu.
#pragma once

__device__ inline void wait_for_all() {
  __syncthreads();  // [A]
}
