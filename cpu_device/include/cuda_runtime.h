// CUDA C++ for the CPU device: include this, or let cucc include it as nvcc does.
// The language extensions (<<<>>>, __global__, extern __shared__, device variables) are cucc's rewriter's work;
// everything else of the language and of the runtime API is declared here.
#pragma once

#ifndef __cplusplus
#error "the CPU device compiles CUDA C++ only"
#endif

#define CPU_DEVICE 1
#ifndef __CUDACC__
#define __CUDACC__ 1
#define __CUDACC_VER_MAJOR__ 13
#define __CUDACC_VER_MINOR__ 0
#endif

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu_device/qualifiers.h"
#include "cuda_runtime_api.h"
#include "vector_functions.h"
//
#include "cpu_device/api_templates.h"
#include "cpu_device/atomics.h"
#include "cpu_device/device_math.h"
#include "cpu_device/device_printf.h"
#include "cpu_device/kernel.h"
#include "cpu_device/threads.h"
#include "cpu_device/warp.h"
