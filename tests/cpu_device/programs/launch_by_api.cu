// cudaLaunchKernel with an array of argument pointers, also through const void*, and
// cudaLaunchKernelEx; arguments are read at the launch, each with its own size.
#include <cuda_runtime.h>

#include "check.h"

struct Pair {
  double first;
  short second;
};

template <int FACTOR>
__global__ void combine(double* out, char a, Pair pair, float b) {
  extern __shared__ int smem[];
  smem[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] =
      FACTOR * a + pair.first + pair.second * b + smem[blockDim.x - 1 - threadIdx.x];
}

__global__ void no_arguments() {}

int main() {
  const int blocks = 2, threads = 64, n = blocks * threads;
  double* d_out = upload(std::vector<double>(n, -1));
  auto check_all = [&](double base) {
    CHECK_LAUNCH();
    std::vector<double> out = download(d_out, n);
    for (int i = 0; i < n; ++i) CHECK_EQ(out[i], base + threads - 1 - i % threads);
    CHECK_CUDA(cudaMemset(d_out, 0xff, n * sizeof(double)));
  };

  char a = 10;
  Pair pair = {0.25, 7};
  float b = 2.0f;
  void* args[] = {&d_out, &a, &pair, &b};
  CHECK_CUDA(
      cudaLaunchKernel(combine<3>, dim3(blocks), dim3(threads), args, threads * sizeof(int), 0));
  a = 100;  // after the launch: too late
  check_all(30 + 0.25 + 14);
  const void* kernel = (const void*)combine<4>;
  CHECK_CUDA(cudaLaunchKernel(kernel, blocks, threads, args, threads * sizeof(int), nullptr));
  check_all(400 + 0.25 + 14);
  CHECK_CUDA(cudaLaunchKernel((void*)no_arguments, 1, 1, nullptr, 0, 0));
  CHECK_LAUNCH();

  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = threads * sizeof(int);
  config.stream = 0;
  CHECK_CUDA(cudaLaunchKernelEx(&config, combine<5>, d_out, a, pair, b));
  check_all(500 + 0.25 + 14);
  // Arguments are converted to the parameters' types.
  CHECK_CUDA(cudaLaunchKernelEx(&config, combine<1>, d_out, static_cast<char>(1), pair, 3));
  check_all(1 + 0.25 + 21);
  cudaLaunchAttribute attribute[1] = {};
  attribute[0].id = cudaLaunchAttributePriority;
  attribute[0].val.priority = 0;
  config.attrs = attribute;
  config.numAttrs = 1;
  CHECK_CUDA(cudaLaunchKernelEx(&config, combine<2>, d_out, a, pair, b));
  check_all(200 + 0.25 + 14);

  // Which error it is differs between versions of CUDA; that it is returned and kept does not.
  const cudaError_t too_large = cudaLaunchKernel(kernel, 1, 2000, args, 0, 0);
  CHECK(too_large == cudaErrorInvalidConfiguration || too_large == cudaErrorInvalidValue);
  CHECK_ERROR(cudaGetLastError(), too_large);
  config.blockDim = dim3(1025);
  CHECK_ERROR(cudaLaunchKernelEx(&config, combine<5>, d_out, a, pair, b), too_large);
  CHECK_ERROR(cudaGetLastError(), too_large);
  int not_a_kernel = 0;
  const cudaError_t unknown = cudaLaunchKernel((const void*)&not_a_kernel, 1, 1, args, 0, 0);
  CHECK(unknown == cudaErrorInvalidDeviceFunction || unknown == cudaErrorInvalidResourceHandle);
  CHECK_ERROR(cudaGetLastError(), unknown);
  CHECK_ERROR(
      cudaLaunchKernel((const void*)nullptr, 1, 1, args, 0, 0), cudaErrorInvalidDeviceFunction);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidDeviceFunction);
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
