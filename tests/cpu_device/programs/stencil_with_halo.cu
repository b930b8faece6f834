// One-dimensional stencils with halo cells in shared memory, radius 1 and 3; a halo read before
// the barrier is stale.
#include <cuda_runtime.h>

#include "check.h"

template <int RADIUS, int BLOCK>
__global__ void stencil(const int* in, int* out, int n) {
  __shared__ int temp[BLOCK + 2 * RADIUS];
  const int g = blockIdx.x * BLOCK + threadIdx.x;
  const int l = threadIdx.x + RADIUS;
  temp[l] = g < n ? in[g] : 0;
  if (threadIdx.x < RADIUS) {
    const int left = g - RADIUS, right = g + BLOCK;
    temp[l - RADIUS] = left >= 0 ? in[left] : 0;
    temp[l + BLOCK] = right < n ? in[right] : 0;
  }
  __syncthreads();
  int sum = 0;
#pragma unroll
  for (int offset = -RADIUS; offset <= RADIUS; ++offset) sum += (offset + 5) * temp[l + offset];
  if (g < n) out[g] = sum;
}

template <int RADIUS>
void run(int n) {
  constexpr int kBlock = 128;
  std::vector<int> in(n);
  for (int i = 0; i < n; ++i) in[i] = (i * 13) % 29;
  int* d_in = upload(in);
  int* d_out = upload(std::vector<int>(n, -1));
  stencil<RADIUS, kBlock><<<(n + kBlock - 1) / kBlock, kBlock>>>(d_in, d_out, n);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, n);
  for (int i = 0; i < n; ++i) {
    int expected = 0;
    for (int offset = -RADIUS; offset <= RADIUS; ++offset) {
      if (i + offset >= 0 && i + offset < n) expected += (offset + 5) * in[i + offset];
    }
    CHECK_EQ(out[i], expected);
  }
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_out));
}

int main() {
  for (int n : {1, 127, 128, 129, 1000}) {
    run<1>(n);
    run<3>(n);
  }
  return check_result();
}
