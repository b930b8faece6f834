// Kernels with parameter packs, launched from functions that forward packs; arguments of mixed
// sizes must arrive in order.
#include <cuda_runtime.h>

#include "check.h"

template <typename T, typename... Rest>
__device__ T sum(T first, Rest... rest) {
  if constexpr (sizeof...(rest) == 0) {
    return first;
  } else {
    return first + static_cast<T>(sum(rest...));
  }
}

template <typename... Args>
__global__ void sum_all(double* out, Args... args) {
  *out = sum(static_cast<double>(args)...);
}

template <typename... Args>
__global__ void fill_all(int value, Args*... outs) {
  ((outs[threadIdx.x] = static_cast<Args>(value + threadIdx.x)), ...);
}

template <typename... Args>
void launch_sum(double* out, Args... args) {
  sum_all<<<1, 1>>>(out, args...);
}

template <typename Kernel, typename... Args>
void launch(Kernel kernel, dim3 grid, dim3 block, Args&&... args) {
  kernel<<<grid, block>>>(static_cast<Args&&>(args)...);
}

__global__ void weighted(double* out, char a, double b, short c, float d, long long e) {
  *out = a + 10 * b + 100 * c + 1000 * d + 10000.0 * e;
}

int main() {
  double* d_out = upload(std::vector<double>(4, -1));
  sum_all<<<1, 1>>>(d_out, 1, 2.5f, 3.25, static_cast<char>(4), 5ll);
  launch_sum(d_out + 1, 10, 20u, static_cast<short>(-5));
  launch_sum(d_out + 2, 7.0);
  launch(weighted, 1, 1, d_out + 3, 'A', 2.0, static_cast<short>(3), 4.0f, 5ll);
  CHECK_LAUNCH();
  const double expected[4] = {15.75, 25.0, 7.0, 65 + 20 + 300 + 4000 + 50000.0};
  std::vector<double> out = download(d_out, 4);
  for (int i = 0; i < 4; ++i) CHECK_EQ(out[i], expected[i]);

  int* d_int = upload(std::vector<int>(8, -1));
  float* d_float = upload(std::vector<float>(8, -1));
  short* d_short = upload(std::vector<short>(8, -1));
  fill_all<<<1, 8>>>(100, d_int, d_float, d_short);
  CHECK_LAUNCH();
  std::vector<int> ints = download(d_int, 8);
  std::vector<float> floats = download(d_float, 8);
  std::vector<short> shorts = download(d_short, 8);
  for (int i = 0; i < 8; ++i) {
    CHECK_EQ(ints[i], 100 + i);
    CHECK_EQ(floats[i], 100.0f + i);
    CHECK_EQ(shorts[i], 100 + i);
  }
  CHECK_CUDA(cudaFree(d_out));
  CHECK_CUDA(cudaFree(d_int));
  CHECK_CUDA(cudaFree(d_float));
  CHECK_CUDA(cudaFree(d_short));
  return check_result();
}
