// A file that includes much of the standard library, uses namespace std and gives kernels the
// names of algorithms; min and max work on the host too.
#include <cuda_runtime.h>
#include <device_launch_parameters.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>
#include <regex>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <variant>

#include "check.h"

#ifndef __CUDACC__
#error "CUDA compilers define __CUDACC__"
#endif
#if CUDART_VERSION < 12000
#error "expects the names of CUDA 12 or newer"
#endif

using namespace std;

__global__ void fill(float* out, float value) { out[threadIdx.x] = value; }
__global__ void transform(const float* in, float* out) {
  out[threadIdx.x] = max(in[threadIdx.x], 0.0f) + min(1, 2) + sqrt(4.0f) + abs(-1.0f);
}
__global__ void total(const float* in, float* out, int count) {
  float sum = 0.0f;
  for (int i = 0; i < count; ++i) sum += in[i];
  *out = sum;
}
template <typename T>
__global__ void copy(const T* first, T* result) {
  result[threadIdx.x] = first[threadIdx.x];
}

struct FreeDevice {
  void operator()(float* p) const { CHECK_CUDA(cudaFree(p)); }
};

int main() {
  const int n = min(64, 1000);
  CHECK_EQ(max(3, n), 64);
  CHECK_EQ(std::max(2.5f, 1.0f), 2.5f);
  unique_ptr<float, FreeDevice> a(upload(vector<float>(n, -1.0f)));
  unique_ptr<float, FreeDevice> b(upload(vector<float>(n, -1.0f)));
  fill<<<1, n>>>(a.get(), -5.0f);
  transform<<<1, n>>>(a.get(), b.get());
  total<<<1, 1>>>(b.get(), a.get(), n);
  copy<<<1, 1>>>(a.get(), b.get() + 1);
  CHECK_LAUNCH();
  CHECK_EQ(download(a.get(), 1)[0], 4.0f * n);
  CHECK_EQ(download(b.get(), 2)[1], 4.0f * n);

  vector<float> host = download(b.get(), n);
  CHECK_EQ(accumulate(host.begin() + 2, host.end(), 0.0f), 4.0f * (n - 2));
  atomic<int> done{0};
  thread worker([&] {
    fill<<<1, n>>>(a.get(), 7.0f);  // from another host thread
    CHECK_CUDA(cudaDeviceSynchronize());
    ++done;
  });
  worker.join();
  CHECK_EQ(done.load(), 1);
  CHECK_EQ(download(a.get(), n)[n - 1], 7.0f);
  mt19937 generator(1);
  CHECK(generator() == 1791095845u);
  CHECK(regex_match("kernel<<<1, 1>>>", regex(".*<<<.*>>>")));
  return check_result();
}
