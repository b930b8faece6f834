// A kernel template that is wrong for the type it is launched with: the error is in its body.
// expect: template_kernel.cu:9
#include <cuda_runtime.h>

template <typename T, int N>
__global__ void sum_members(const T* in, float* out) {
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < N; ++i) sum += in[i].weight;
  *out = sum;
}

int main() {
  float* in = nullptr;
  float* out = nullptr;
  sum_members<float, 4><<<1, 1>>>(in, out);
  return 0;
}
