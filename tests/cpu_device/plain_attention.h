// The yardstick of the benchmarks: lesson 01's algorithm as a plain C++ loop on one core.
#pragma once

// Attention of one head. Q, K, V, O are [N, d], row-major; S is [N, N] scratch.
void plain_attention(
    const float* Q, const float* K, const float* V, float* S, float* O, long N, long d,
    float softmax_scale);
