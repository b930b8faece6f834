// cpuDeviceInterrupt() from a signal handler ends a launch, also of a block that would never end,
// and those after it.
#include <unistd.h>

#include <csignal>

#include "fault.h"

__global__ void spin(volatile int* out) {
  for (int n = 0; n < 10'000'000; ++n) *out = n;
}
__global__ void noop() {}
__global__ void never_end(volatile int* out) {
  while (true) *out = 1;
}

int main() {
  int* out = nullptr;
  CHECK_CUDA(cudaMalloc(&out, sizeof(int)));
  std::signal(SIGALRM, [](int) { cpuDeviceInterrupt(1); });
  raise(SIGALRM);               // before the launch, so that no clock decides
  spin<<<1'000'000, 1>>>(out);  // hours
  CHECK_FAULT(cudaErrorLaunchTimeout, "interrupted");
  CHECK_CUDA(cudaDeviceReset());

  noop<<<1, 1>>>();
  CHECK_FAULT(cudaErrorLaunchTimeout, "interrupted");
  CHECK_CUDA(cudaDeviceReset());

  cpuDeviceInterrupt(0);
  noop<<<1, 1>>>();
  CHECK_CUDA(cudaGetLastError());
  CHECK_CUDA(cudaDeviceSynchronize());

  // While blocks run.
  CHECK_CUDA(cudaMalloc(&out, sizeof(int)));
  alarm(1);
  spin<<<1'000'000, 1>>>(out);
  CHECK_FAULT(cudaErrorLaunchTimeout, "interrupted");
  CHECK_CUDA(cudaDeviceReset());
  cpuDeviceInterrupt(0);

  CHECK_CUDA(cudaMalloc(&out, sizeof(int)));
  alarm(1);
  never_end<<<1, 64>>>(out);
  CHECK_FAULT(cudaErrorLaunchTimeout, "interrupted");
  return check_result();
}
