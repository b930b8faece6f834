// The kernels on which the cost of the checked mode is measured: O = softmax(softmax_scale * Q K^T) V, one head.
#pragma once

#include <cuda_runtime.h>

enum class AttentionKernel { kGlobal, kTiled, kTiledFloat4 };

// All tensors are [N, d] in device memory, d is at most 64. kTiledFloat4 needs N to be a multiple of 32, and d of 4.
cudaError_t run_attention(
    AttentionKernel kernel, const float* Q, const float* K, const float* V, float* O, int N, int d,
    int threads, float softmax_scale);
