// Histogram by global atomics and by shared atomics that are merged; lost updates show as a short
// count.
#include <cuda_runtime.h>

#include "check.h"

constexpr int kBins = 64;

__global__ void histogram_global(const unsigned char* data, int n, unsigned int* bins) {
  int stride = gridDim.x * blockDim.x;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
    atomicAdd(&bins[data[i] % kBins], 1);
  }
}

__global__ void histogram_shared(const unsigned char* data, int n, unsigned int* bins) {
  __shared__ unsigned int local[kBins];
  for (int b = threadIdx.x; b < kBins; b += blockDim.x) local[b] = 0;
  __syncthreads();
  int stride = gridDim.x * blockDim.x;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
    atomicAdd(&local[data[i] % kBins], 1u);
  }
  __syncthreads();
  for (int b = threadIdx.x; b < kBins; b += blockDim.x) atomicAdd(&bins[b], local[b]);
}

int main() {
  const int n = 40000;
  std::vector<unsigned char> data(n);
  std::vector<unsigned int> expected(kBins, 0);
  unsigned int state = 12345;
  for (int i = 0; i < n; ++i) {
    state = state * 1664525u + 1013904223u;
    data[i] = static_cast<unsigned char>(state >> 24);
    ++expected[data[i] % kBins];
  }
  unsigned char* d_data = upload(data);
  for (int kind = 0; kind < 2; ++kind) {
    unsigned int* d_bins = upload(std::vector<unsigned int>(kBins, 0));
    if (kind == 0) {
      histogram_global<<<12, 128>>>(d_data, n, d_bins);
    } else {
      histogram_shared<<<12, 128>>>(d_data, n, d_bins);
    }
    CHECK_LAUNCH();
    std::vector<unsigned int> bins = download(d_bins, kBins);
    for (int b = 0; b < kBins; ++b) CHECK_EQ(bins[b], expected[b]);
    CHECK_CUDA(cudaFree(d_bins));
  }
  CHECK_CUDA(cudaFree(d_data));
  return check_result();
}
