// The GPU that the CPU device behaves like: one of a few profiles, chosen by the environment variable CPU_DEVICE_PROFILE.
#pragma once

#include <stddef.h>

namespace cpu_device {

struct DeviceProfile {
  const char* name;
  int major, minor;
  size_t total_memory;
  size_t shared_per_block;        // static, and dynamic without opt-in
  size_t shared_per_block_optin;  // static + dynamic after cudaFuncSetAttribute
  size_t shared_per_multiprocessor;
  size_t shared_reserved_per_block;
  int multiprocessors;
  int threads_per_multiprocessor;
  int blocks_per_multiprocessor;
  int l2_bytes;
};

// "default" is a 16 GiB consumer GPU of compute capability 8.6; "h200" an H200. An unknown name ends the program
// with a message that lists the known ones.
const DeviceProfile& profile();

constexpr unsigned kMaxThreadsPerBlock = 1024;
constexpr unsigned kMaxBlockZ = 64;
constexpr unsigned kMaxGridX = 2147483647;
constexpr unsigned kMaxGridYZ = 65535;

}  // namespace cpu_device
