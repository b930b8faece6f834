// nvcc's IDE helper header: threadIdx and the other built-ins come with cuda_runtime.h.
#pragma once

#include "cuda_runtime.h"
