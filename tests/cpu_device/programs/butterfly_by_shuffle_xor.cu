// All-reduce by __shfl_xor_sync in warps and in sub-warps of 8: every lane must end with the same
// total.
#include <cuda_runtime.h>

#include "check.h"

template <int WIDTH>
__device__ float all_sum(float value) {
#pragma unroll
  for (int mask = WIDTH / 2; mask > 0; mask >>= 1) {
    value += __shfl_xor_sync(0xffffffff, value, mask, WIDTH);
  }
  return value;
}

__device__ float all_max(float value) {
  for (int mask = 16; mask > 0; mask >>= 1) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffff, value, mask));
  }
  return value;
}

__global__ void butterfly(const float* in, float* sum32, float* sum8, float* max32) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float value = in[i];
  sum32[i] = all_sum<32>(value);
  sum8[i] = all_sum<8>(value);
  max32[i] = all_max(value);
}

int main() {
  const int n = 2 * 128;
  std::vector<float> in(n);
  for (int i = 0; i < n; ++i) in[i] = static_cast<float>((i * 53) % 64 - 40);
  float* d_in = upload(in);
  float* d_out = upload(std::vector<float>(3 * n, NAN));
  butterfly<<<2, 128>>>(d_in, d_out, d_out + n, d_out + 2 * n);
  CHECK_LAUNCH();
  std::vector<float> out = download(d_out, 3 * n);
  for (int i = 0; i < n; ++i) {
    float sum32 = 0.0f, sum8 = 0.0f, max32 = -1e30f;
    for (int k = i / 32 * 32; k < i / 32 * 32 + 32; ++k) {
      sum32 += in[k];
      max32 = in[k] > max32 ? in[k] : max32;
    }
    for (int k = i / 8 * 8; k < i / 8 * 8 + 8; ++k) sum8 += in[k];
    CHECK_EQ(out[i], sum32);
    CHECK_EQ(out[n + i], sum8);
    CHECK_EQ(out[2 * n + i], max32);
  }
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
