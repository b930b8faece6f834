// The driver API is not provided; this header exists for its version number.
#pragma once

#define CUDA_VERSION 13000
