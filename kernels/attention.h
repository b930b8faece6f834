// The contract between a kernel file and everything that calls it.
//
// A kernel file (kernels/NN_name.cu or solutions/NN_name.cu) is whole: it holds the kernels of one
// lesson and exports the C functions declared here: attention_forward, and attention_backward from
// lesson 06 on.
//
// Sources
//   Vaswani et al., Attention Is All You Need, arXiv:1706.03762: the function that is computed
//   Dao et al., FlashAttention, arXiv:2205.14135: the tiled algorithm and its backward pass
//   Dao, FlashAttention-2, arXiv:2307.08691: the log-sum-exp output; from version 2.1 on, its
//   implementation aligns the causal mask bottom-right
#pragma once

#include <cuda_runtime.h>

// The largest head_dim that a launcher has to support; any value from 1 up to it is legal.
inline constexpr int kMaxHeadDim = 128;

// The sizes of one attention problem. Element counts may exceed 2^31, and so may products of these
// fields: compute indices in 64 bits.
struct AttentionShape {
  int batch;         // B,    at least 1
  int num_heads;     // H,    at least 1; batch * num_heads may exceed 65,535 (a grid's y limit)
  int num_heads_kv;  // H_kv, at least 1, divides num_heads; equal to it before lesson 07
  int seq_len_q;     // N_q,  at least 0
  int seq_len_k;     // N_k,  at least 0
  int head_dim;      // d,    1 to kMaxHeadDim, any value
};

// Forward pass, for every batch b and query head h:
//
//   S   = softmax_scale * Q K^T     [N_q, N_k]
//   P   = softmax of S over keys    [N_q, N_k], every row sums to 1
//   O   = P V                       [N_q, d]
//   LSE = ln(sum_j exp(S_ij))       [N_q], natural logarithm
//
// Tensors are float32 in device memory, contiguous, row-major, in the order of PyTorch's
// scaled_dot_product_attention: [batch, heads, seq_len, head_dim]. FlashAttention's own API swaps
// the middle two: [batch, seq_len, heads, head_dim]. Inputs and outputs do not overlap. O and LSE
// need no initial value.
//
//   Q, O   [B, H, N_q, d]
//   K, V   [B, H_kv, N_k, d]        query head h reads key/value head h / (H / H_kv)
//   LSE    [B, H, N_q]              may be null, for a caller who does not want it; ignored in
//                                   lessons 01 and 02
//
// Another pointer may be null only if its tensor has no elements: Q and O if seq_len_q is 0, K and
// V if seq_len_k is 0.
//
// causal: aligned bottom-right; query i sees key j if and only if j <= i + seq_len_k - seq_len_q,
// so the last query sees every key. A row that sees no key, because of the mask or because
// seq_len_k is 0, gives O = 0 and LSE = -inf. If seq_len_q is 0, there is nothing to compute:
// success, and nothing is launched.
//
// softmax_scale is any finite float, usually 1 / sqrt(head_dim). It may be zero or negative, so the
// maximum that keeps exp() from overflowing is the maximum of the scaled scores.
//
// The work goes to the given stream. A launcher may allocate scratch memory, preferably on that
// stream, and frees it, also when a launch fails; it keeps nothing between calls and does not
// synchronise the device.
//
// Returns, looked at in this order and before anything is launched:
//   cudaErrorInvalidValue   a null Q, K, V or O that has elements; batch, num_heads,
//                           num_heads_kv or head_dim below 1; head_dim above kMaxHeadDim; a
//                           negative seq_len; num_heads not a multiple of num_heads_kv
//   cudaErrorNotSupported   a feature that the lesson does not have yet: causal before lesson 05,
//                           num_heads_kv != num_heads before lesson 07
//   cudaErrorInvalidValue   more blocks than a grid can hold, or too little shared memory
// and then the error of a CUDA call that failed, such as cudaErrorMemoryAllocation; if none did,
// cudaSuccess.
extern "C" cudaError_t attention_forward(
    const float* Q, const float* K, const float* V, float* O, float* LSE, AttentionShape shape,
    float softmax_scale, bool causal, cudaStream_t stream);

// Backward pass: the gradients of a loss with respect to Q, K and V, given dO = dLoss/dO and what
// the forward pass returned. With P as above, D_i = sum_k dO_ik O_ik, dP = dO V^T and
// dS = P o (dP - D):
//
//   dV = P^T dO    dQ = softmax_scale * dS K    dK = softmax_scale * dS^T Q
//
//   dO, dQ      [B, H, N_q, d]
//   dK, dV      [B, H_kv, N_k, d]   summed over the query heads that share a key/value head
//
// Same conventions, null rule and return values as the forward pass; LSE may not be null unless
// seq_len_q = 0. dQ, dK and dV need no initial value.
extern "C" cudaError_t attention_backward(
    const float* Q, const float* K, const float* V, const float* O, const float* LSE,
    const float* dO, float* dQ, float* dK, float* dV, AttentionShape shape, float softmax_scale,
    bool causal, cudaStream_t stream);

// Lesson 06 only, and only if the file wants to be graded in stages: what the backward pass
// computes on its way and never stores. The grader calls it for small shapes, so that an answer
// whose gradients are not finished yet earns its part.
//
//   delta    [B, H, N_q]         D_i = sum_k dO_ik O_ik
//   dP, dS   [B, H, N_q, N_k]    dP = dO V^T, dS = P o (dP - D); both 0 where a key is hidden
//
// Same conventions, null rule and return values as the backward pass; an output may be null for a
// caller who does not want it.
extern "C" cudaError_t attention_backward_stages(
    const float* Q, const float* K, const float* V, const float* O, const float* LSE,
    const float* dO, float* delta, float* dP, float* dS, AttentionShape shape, float softmax_scale,
    bool causal, cudaStream_t stream);
