// A typo in the second kernel, below launches over several lines and shared memory declarations.
// expect: typo_after_launches.cu:37
#include <cuda_runtime.h>

#include <cstdio>

__device__ float scale = 2.0f;
__constant__ float table[4] = {1.0f, 2.0f, 3.0f, 4.0f};

__global__ void first(float* out) {
  extern __shared__ float smem[];
  smem[threadIdx.x] = scale;
  __syncthreads();
  out[threadIdx.x] = smem[0] + table[threadIdx.x % 4];
}

template <int N>
__global__ void middle(float* out) {
  __shared__ float tile[N];
  tile[threadIdx.x] = 1.0f;
  __syncthreads();
  out[threadIdx.x] = tile[N - 1 - threadIdx.x];
}

void launch(float* out) {
  first<<<1, 32, 128>>>(out);
  // clang-format off
  middle<32><<<
      dim3(1),
      dim3(32)>>>(out); first<<<1, 32, 128>>>(out);
  // clang-format on
  std::printf("%s\n", "not a launch <<<1, 1>>>");
}

__global__ void second(float* out) {
  const float value = 1.0f;
  out[threadIdx.x] = valeu;
}

int main() {
  second<<<1, 1>>>(nullptr);
  return 0;
}
