// atomicAdd and atomicExch on float and double, global and shared; lost updates and values rounded
// to float show.
#include <cuda_runtime.h>

#include "check.h"

constexpr int kThreads = 256, kBlocks = 6, kAll = kThreads * kBlocks;

__device__ float exchange(float* p, float value) { return atomicExch(p, value); }
__device__ double exchange(double* p, double value) {
  return __longlong_as_double(
      atomicExch((unsigned long long*)p, (unsigned long long)__double_as_longlong(value)));
}

template <typename T>
__global__ void accumulate(T* total, T* block_totals, T* slot, T* old, T step) {
  __shared__ T block_total;
  if (threadIdx.x == 0) block_total = 0;
  __syncthreads();
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  old[i] = atomicAdd(total, step);
  atomicAdd(&block_total, step * (threadIdx.x % 4));
  old[kAll + i] = exchange(slot, static_cast<T>(i));
  __syncthreads();
  if (threadIdx.x == 0) block_totals[blockIdx.x] = block_total;
}

template <typename T>
void run(T start, T step) {
  T* d_total = upload(std::vector<T>(1, start));
  T* d_blocks = upload(std::vector<T>(kBlocks, T(-1)));
  T* d_slot = upload(std::vector<T>(1, T(-5)));
  T* d_old = upload(std::vector<T>(2 * kAll));
  accumulate<T><<<kBlocks, kThreads>>>(d_total, d_blocks, d_slot, d_old, step);
  CHECK_LAUNCH();
  CHECK_EQ(download(d_total, 1)[0], start + kAll * step);
  for (T block : download(d_blocks, kBlocks)) CHECK_EQ(block, step * (6 * kThreads / 4));
  std::vector<T> old = download(d_old, 2 * kAll);
  std::vector<int> add_times(kAll, 0), exch_times(kAll, 0);
  int start_seen = 0;
  for (int i = 0; i < kAll; ++i) {
    const int k = static_cast<int>((old[i] - start) / step);
    CHECK(k >= 0 && k < kAll && old[i] == start + k * step);
    ++add_times[k % kAll];
    if (old[kAll + i] == T(-5)) {
      ++start_seen;
    } else {
      ++exch_times[static_cast<int>(old[kAll + i]) % kAll];
    }
  }
  ++exch_times[static_cast<int>(download(d_slot, 1)[0]) % kAll];
  CHECK_EQ(start_seen, 1);
  for (int i = 0; i < kAll; ++i) {
    CHECK_EQ(add_times[i], 1);
    CHECK_EQ(exch_times[i], 1);
  }
  CHECK_CUDA(cudaFree(d_total));
  CHECK_CUDA(cudaFree(d_blocks));
  CHECK_CUDA(cudaFree(d_slot));
  CHECK_CUDA(cudaFree(d_old));
}

int main() {
  run<float>(2.0f, 0.25f);
  run<double>(1.0e9, 1.0 / 1024);  // not representable as float
  return check_result();
}
