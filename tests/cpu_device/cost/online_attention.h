// Attention with online softmax as plain loops: what the kernels of attention_kernels.cu are compared with.
#pragma once

// All tensors are [N, d] in host memory, d is at most 64.
void online_attention(
    const float* Q, const float* K, const float* V, float* O, int N, int d, float softmax_scale);
