// One thread per element with a bounds check; broken index arithmetic leaves elements unwritten or
// writes past the end.
#include <cuda_runtime.h>

#include "check.h"

__global__ void vector_add(const float* a, const float* b, float* c, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    c[i] = a[i] + b[i];
  }
}

int main() {
  for (int n : {1, 31, 32, 33, 255, 256, 257, 1000, 100003}) {
    std::vector<float> a(n), b(n), c(n + 64, -1.0f);
    for (int i = 0; i < n; ++i) {
      a[i] = 0.5f * i;
      b[i] = 3.0f - i;
    }
    float* d_a = upload(a);
    float* d_b = upload(b);
    float* d_c = upload(c);
    int threads = 256;
    int blocks = (n + threads - 1) / threads;
    vector_add<<<blocks, threads>>>(d_a, d_b, d_c, n);
    CHECK_LAUNCH();
    c = download(d_c, c.size());
    for (int i = 0; i < n; ++i) CHECK_EQ(c[i], 3.0f - 0.5f * i);
    for (size_t i = n; i < c.size(); ++i) CHECK_EQ(c[i], -1.0f);
    CHECK_CUDA(cudaFree(d_a));
    CHECK_CUDA(cudaFree(d_b));
    CHECK_CUDA(cudaFree(d_c));
  }
  return check_result();
}
