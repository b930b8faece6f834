// CUDA's declaration qualifiers. cucc's rewriter replaces those that need more than a macro, so its preprocessing pass
// leaves them alone; the macros serve plain C++ files that share headers with CUDA code.
#pragma once

#ifndef CPU_DEVICE_PREPROCESSING
#define __global__ __attribute__((noinline))
#define __device__
#define __constant__
#define __managed__
#define __shared__ static __thread
#define __launch_bounds__(...)
#endif

#define __host__
#define __grid_constant__
#define __forceinline__ __inline__ __attribute__((always_inline))
#define __maxnreg__(...)
#define __cluster_dims__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __align__(n)
