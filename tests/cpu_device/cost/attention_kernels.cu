// Three forward passes with online softmax, a thread per query: K and V from global memory, through tiles in shared
// memory, and through tiles that are loaded and read as float4. What the checked mode costs is measured on them.
#include <cuda_runtime.h>

#include "attention_kernels.h"

namespace {

constexpr int kMostD = 64;  // head dimension
constexpr int kTile = 32;   // keys

__global__ void attention_global(
    const float* Q, const float* K, const float* V, float* O, int N, int d, float softmax_scale) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= N) return;
  float q[kMostD], o[kMostD];
  for (int k = 0; k < d; ++k) {
    q[k] = Q[i * d + k];
    o[k] = 0.0f;
  }
  float m = -INFINITY, l = 0.0f;
  for (int j = 0; j < N; ++j) {
    float s = 0.0f;
    for (int k = 0; k < d; ++k) s += q[k] * K[j * d + k];
    s *= softmax_scale;
    const float m_new = fmaxf(m, s);
    const float rescale = expf(m - m_new);
    const float p = expf(s - m_new);
    m = m_new;
    l = l * rescale + p;
    for (int k = 0; k < d; ++k) o[k] = o[k] * rescale + p * V[j * d + k];
  }
  for (int k = 0; k < d; ++k) O[i * d + k] = o[k] / l;
}

__global__ void attention_tiled(
    const float* Q, const float* K, const float* V, float* O, int N, int d, float softmax_scale) {
  __shared__ float K_smem[kTile * kMostD], V_smem[kTile * kMostD];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  float q[kMostD], o[kMostD];
  for (int k = 0; k < d; ++k) {
    q[k] = i < N ? Q[i * d + k] : 0.0f;
    o[k] = 0.0f;
  }
  float m = -INFINITY, l = 0.0f;
  for (int first = 0; first < N; first += kTile) {
    __syncthreads();  // every thread is done with the tile that is overwritten
    for (int n = threadIdx.x; n < kTile * d; n += blockDim.x) {
      K_smem[n] = first * d + n < N * d ? K[first * d + n] : 0.0f;
      V_smem[n] = first * d + n < N * d ? V[first * d + n] : 0.0f;
    }
    __syncthreads();  // the tile is complete
    for (int c = 0; c < kTile && first + c < N; ++c) {
      float s = 0.0f;
      for (int k = 0; k < d; ++k) s += q[k] * K_smem[c * d + k];
      s *= softmax_scale;
      const float m_new = fmaxf(m, s);
      const float rescale = expf(m - m_new);
      const float p = expf(s - m_new);
      m = m_new;
      l = l * rescale + p;
      for (int k = 0; k < d; ++k) o[k] = o[k] * rescale + p * V_smem[c * d + k];
    }
  }
  if (i >= N) return;
  for (int k = 0; k < d; ++k) O[i * d + k] = o[k] / l;
}

// N and the pointers are multiples of what float4 needs.
__global__ void attention_tiled_float4(
    const float4* Q, const float4* K, const float4* V, float4* O, int N, int d,
    float softmax_scale) {
  const int d4 = d / 4;
  __shared__ float4 K_smem[kTile * kMostD / 4], V_smem[kTile * kMostD / 4];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  float4 q[kMostD / 4], o[kMostD / 4];
  for (int k = 0; k < d4; ++k) {
    q[k] = i < N ? Q[i * d4 + k] : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    o[k] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  }
  float m = -INFINITY, l = 0.0f;
  for (int first = 0; first < N; first += kTile) {
    __syncthreads();  // every thread is done with the tile that is overwritten
    for (int n = threadIdx.x; n < kTile * d4; n += blockDim.x) {
      K_smem[n] = K[first * d4 + n];
      V_smem[n] = V[first * d4 + n];
    }
    __syncthreads();  // the tile is complete
    for (int c = 0; c < kTile; ++c) {
      float s = 0.0f;
      for (int k = 0; k < d4; ++k) {
        const float4 x = K_smem[c * d4 + k];
        s += q[k].x * x.x + q[k].y * x.y + q[k].z * x.z + q[k].w * x.w;
      }
      s *= softmax_scale;
      const float m_new = fmaxf(m, s);
      const float rescale = expf(m - m_new);
      const float p = expf(s - m_new);
      m = m_new;
      l = l * rescale + p;
      for (int k = 0; k < d4; ++k) {
        const float4 x = V_smem[c * d4 + k];
        o[k].x = o[k].x * rescale + p * x.x;
        o[k].y = o[k].y * rescale + p * x.y;
        o[k].z = o[k].z * rescale + p * x.z;
        o[k].w = o[k].w * rescale + p * x.w;
      }
    }
  }
  if (i >= N) return;
  for (int k = 0; k < d4; ++k) {
    O[i * d4 + k] = make_float4(o[k].x / l, o[k].y / l, o[k].z / l, o[k].w / l);
  }
}

}  // namespace

cudaError_t run_attention(
    AttentionKernel kernel, const float* Q, const float* K, const float* V, float* O, int N, int d,
    int threads, float softmax_scale) {
  if (d > kMostD) return cudaErrorInvalidValue;
  const int blocks = (N + threads - 1) / threads;
  switch (kernel) {
    case AttentionKernel::kGlobal:
      attention_global<<<blocks, threads>>>(Q, K, V, O, N, d, softmax_scale);
      break;
    case AttentionKernel::kTiled:
      attention_tiled<<<blocks, threads>>>(Q, K, V, O, N, d, softmax_scale);
      break;
    case AttentionKernel::kTiledFloat4:
      if (N % kTile != 0 || d % 4 != 0) return cudaErrorInvalidValue;
      attention_tiled_float4<<<blocks, threads>>>(
          reinterpret_cast<const float4*>(Q), reinterpret_cast<const float4*>(K),
          reinterpret_cast<const float4*>(V), reinterpret_cast<float4*>(O), N, d, softmax_scale);
      break;
  }
  return cudaGetLastError();
}
