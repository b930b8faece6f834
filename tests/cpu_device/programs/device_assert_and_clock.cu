// assert() that holds, clock64(), clock() and __nanosleep() in a kernel: clocks do not run
// backwards.
#include <cuda_runtime.h>

#include <cassert>

#include "check.h"

__global__ void timed_sum(const int* in, int n, int* sum, long long* ticks) {
  assert(n > 0);
  assert(in != nullptr && "input must not be null");
  const long long start = clock64();
  const clock_t short_start = clock();
  int total = 0;
  for (int i = 0; i < n; ++i) {
    total += in[i];
    if (i % 100 == 0) __nanosleep(100);
  }
  *sum = total;
  ticks[0] = clock64() - start;
  ticks[1] = clock() - short_start;
}

int main() {
  const int n = 1000;
  std::vector<int> in(n, 3);
  int* d_in = upload(in);
  int* d_sum = upload(std::vector<int>(1, -1));
  long long* d_ticks = upload(std::vector<long long>(2, -1));
  timed_sum<<<1, 1>>>(d_in, n, d_sum, d_ticks);
  CHECK_LAUNCH();
  CHECK_EQ(download(d_sum, 1)[0], 3000);
  CHECK(download(d_ticks, 2)[0] >= 0);
  CHECK(download(d_ticks, 2)[1] >= 0);
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_sum));
  CHECK_CUDA(cudaFree(d_ticks));
  return check_result();
}
