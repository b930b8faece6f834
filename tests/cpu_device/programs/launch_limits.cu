// Launches beyond the limits of blocks and grids fail with CUDA's own codes, do not run, and leave
// no trace behind; launches at the limits run.
#include <cuda_runtime.h>

#include "check.h"

__global__ void count(unsigned long long* counter) { atomicAdd(counter, 1ull); }
__global__ void __launch_bounds__(128) bounded(unsigned long long* counter) {
  atomicAdd(counter, 1ull);
}

// What cudaLaunchKernel's documentation says, and CUDA 12 does; the runtime of CUDA 13.0 answers
// cudaErrorInvalidValue.
bool is_refusal(cudaError_t error) {
#ifdef CPU_DEVICE
  return error == cudaErrorInvalidConfiguration;
#else
  return error == cudaErrorInvalidConfiguration || error == cudaErrorInvalidValue;
#endif
}

int main() {
  unsigned long long* d_counter = upload(std::vector<unsigned long long>(1, 0));
  const dim3 one(1);

  const struct {
    dim3 grid, block;
  } refused[] = {
      {one, dim3(1025)},        {one, dim3(32, 33)},      {one, dim3(1, 1, 65)},
      {one, dim3(1, 2048)},     {one, dim3(16, 16, 5)},   {dim3(1, 65536), one},
      {dim3(1, 1, 65536), one}, {dim3(0), one},           {dim3(1, 0), one},
      {dim3(1, 1, 0), one},     {one, dim3(0)},           {one, dim3(32, 0)},
      {one, dim3(32, 1, 0)},    {dim3(2147483648u), one},
  };
  int index = 0;
  for (const auto& launch : refused) {
    count<<<launch.grid, launch.block>>>(d_counter);
    const cudaError_t error = cudaGetLastError();
    if (!is_refusal(error)) std::printf("refused[%d] gave %s: ", index, cudaGetErrorName(error));
    CHECK(is_refusal(error));
    CHECK_CUDA(cudaGetLastError());
    CHECK_CUDA(cudaDeviceSynchronize());
    ++index;
  }
  CHECK_EQ(download(d_counter, 1)[0], 0u);

  bounded<<<1, 129>>>(d_counter);  // more threads than the kernel was compiled for
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidValue);
  CHECK_EQ(download(d_counter, 1)[0], 0u);

  const struct {
    dim3 grid, block;
    unsigned long long threads;
  } accepted[] = {
      {one, dim3(1024), 1024},      {one, dim3(1, 1024), 1024},   {one, dim3(4, 4, 64), 1024},
      {one, dim3(32, 32), 1024},    {dim3(1, 65535), one, 65535}, {dim3(1, 1, 65535), one, 65535},
      {dim3(65536, 1), one, 65536},
  };
  for (const auto& launch : accepted) {
    CHECK_CUDA(cudaMemset(d_counter, 0, sizeof(unsigned long long)));
    count<<<launch.grid, launch.block>>>(d_counter);
    CHECK_LAUNCH();
    CHECK_EQ(download(d_counter, 1)[0], launch.threads);
  }
  CHECK_CUDA(cudaFree(d_counter));
  return check_result();
}
