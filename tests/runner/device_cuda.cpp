#include <cuda_runtime.h>

#include <cstdio>

#include "device.h"
#include "meter.h"

namespace runner {

bool device_ready(char* why, std::size_t size) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return true;
  std::snprintf(
      why, size, "no GPU answers: %s",
      error == cudaSuccess ? "there is none" : cudaGetErrorString(error));
  return false;
}

void device_set_schedule(protocol::Schedule, std::uint64_t) {}

void device_sample_blocks(std::uint64_t, std::uint64_t) {}

std::uint64_t device_static_bytes() { return Meter::instance().static_bytes(); }

const char* device_report() { return ""; }

void device_write_findings() {}

void device_reset() {
  const Bypass own;
  cudaDeviceReset();
}

void device_begin_counting() {}

bool device_end_counting(void* const*, protocol::Counts*) { return false; }

}  // namespace runner
