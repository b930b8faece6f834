// 16-byte loads and stores through reinterpret_cast, in global and shared memory, with a scalar
// tail; a copy that swaps or drops components shows.
#include <cuda_runtime.h>

#include "check.h"

__global__ void copy_scaled(
    const float* __restrict__ in, float* __restrict__ out, int n, float scale) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const int vectors = n / 4;
  if (i < vectors) {
    float4 v = reinterpret_cast<const float4*>(in)[i];
    v.x *= scale;
    v.y *= scale;
    v.z *= scale;
    v.w *= scale;
    reinterpret_cast<float4*>(out)[i] = v;
  }
  if (i < n % 4) out[vectors * 4 + i] = in[vectors * 4 + i] * scale;
}

__global__ void through_shared(const float4* in, float2* out) {
  __shared__ __align__(16) float tile[128];
  reinterpret_cast<float4*>(tile)[threadIdx.x] = __ldg(&in[threadIdx.x]);
  __syncthreads();
  const float2* pairs = reinterpret_cast<const float2*>(tile);
  for (int k = 0; k < 2; ++k) out[threadIdx.x + 32 * k] = pairs[63 - threadIdx.x - 32 * k];
}

union Packed {
  uint2 words;
  unsigned short halves[4];
};

__global__ void repack(const uint2* in, uint2* out) {
  Packed p;
  p.words = in[threadIdx.x];
  unsigned short swap = p.halves[0];
  p.halves[0] = p.halves[3];
  p.halves[3] = swap;
  out[threadIdx.x] = p.words;
}

int main() {
  for (int n : {4, 127, 128, 130, 1001}) {
    std::vector<float> in(n);
    for (int i = 0; i < n; ++i) in[i] = static_cast<float>(i);
    float* d_in = upload(in);
    float* d_out = upload(std::vector<float>(n + 8, -1.0f));
    copy_scaled<<<(n / 4 + 64) / 64, 64>>>(d_in, d_out, n, 2.0f);
    CHECK_LAUNCH();
    std::vector<float> out = download(d_out, n + 8);
    for (int i = 0; i < n + 8; ++i) CHECK_EQ(out[i], i < n ? 2.0f * i : -1.0f);
    if (n == 128) {
      through_shared<<<1, 32>>>((const float4*)d_in, (float2*)d_out);
      CHECK_LAUNCH();
      out = download(d_out, n);
      for (int i = 0; i < n; ++i) CHECK_EQ(out[i], 2.0f * (63 - i / 2) + i % 2);
    }
    CHECK_CUDA(cudaFree(d_in));
    CHECK_CUDA(cudaFree(d_out));
  }
  std::vector<uint2> words(32);
  for (unsigned i = 0; i < 32; ++i) words[i] = make_uint2(0xaaaa0000u + i, 0xbbbb0000u + i);
  uint2* d_words = upload(words);
  repack<<<1, 32>>>(d_words, d_words);
  CHECK_LAUNCH();
  words = download(d_words, 32);
  for (unsigned i = 0; i < 32; ++i) {
    CHECK_EQ(words[i].x, 0xaaaabbbbu);
    CHECK_EQ(words[i].y, (i << 16) + i);
  }
  CHECK_CUDA(cudaFree(d_words));
  return check_result();
}
