// __device__ variables, initialised, zeroed, arrays and pointers, shared by kernels and kept
// between launches; a kernel that works on a copy loses its writes.
#include <cuda_runtime.h>

#include "check.h"

__device__ int counter;
__device__ float weights[4] = {0.5f, 1.5f, 2.5f, 3.5f};
__device__ int* queue = nullptr;
static __device__ unsigned long long total = 10;
constexpr int kLimit = 6;

namespace limits {
__device__ int lower = -3;
static constexpr int kUpper = 12;
}  // namespace limits

struct Settings {
  static constexpr int kStep = 4;
};

__global__ void count() {
  atomicAdd(&counter, 1);
  atomicAdd(&total, static_cast<unsigned long long>(Settings::kStep));
  if (threadIdx.x < 4 && blockIdx.x == 0) weights[threadIdx.x] *= 2.0f;
}

__global__ void read_back(int* out) {
  out[0] = counter;
  out[1] = static_cast<int>(total);
  out[2] = limits::lower + limits::kUpper;
  out[3] = kLimit;
  queue[0] = 77;
}

int main() {
  int* d_out = upload(std::vector<int>(4, -1));
  int* d_queue = upload(std::vector<int>(1, -1));
  CHECK_CUDA(cudaMemcpyToSymbol(queue, &d_queue, sizeof(d_queue)));
  count<<<3, 50>>>();
  count<<<1, 10>>>();
  read_back<<<1, 1>>>(d_out);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, 4);
  CHECK_EQ(out[0], 160);
  CHECK_EQ(out[1], 10 + 160 * 4);
  CHECK_EQ(out[2], 9);
  CHECK_EQ(out[3], 6);
  CHECK_EQ(download(d_queue, 1)[0], 77);

  int host_counter = -1;
  CHECK_CUDA(cudaMemcpyFromSymbol(&host_counter, counter, sizeof(int)));
  CHECK_EQ(host_counter, 160);
  float host_weights[4] = {};
  CHECK_CUDA(cudaMemcpyFromSymbol(host_weights, weights, sizeof(host_weights)));
  for (int i = 0; i < 4; ++i) CHECK_EQ(host_weights[i], 4.0f * (0.5f + i));

  // The address and the size of a symbol, usable with the ordinary copies.
  void* address = nullptr;
  size_t size = 0;
  CHECK_CUDA(cudaGetSymbolAddress(&address, weights));
  CHECK_CUDA(cudaGetSymbolSize(&size, weights));
  CHECK_EQ(size, 4 * sizeof(float));
  CHECK_CUDA(cudaMemset(address, 0, size));
  CHECK_CUDA(cudaMemcpyFromSymbol(host_weights, weights, sizeof(float), sizeof(float)));
  CHECK_EQ(host_weights[0], 0.0f);
  CHECK_CUDA(cudaFree(d_out));
  CHECK_CUDA(cudaFree(d_queue));
  return check_result();
}
