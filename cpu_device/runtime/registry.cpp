#include "registry.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include "cpu_device.h"
#include "cpu_device/kernel.h"
#include "device.h"
#include "errors.h"
#include "module.h"

namespace cpu_device {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<const void*, std::unique_ptr<KernelInfo>> kernels;
  std::map<uintptr_t, DeviceVariable> variables;
};

// Never destroyed: kernels register from static initialisers, in any order.
Registry& registry() {
  static auto& instance = *new Registry;
  return instance;
}

struct Configuration {
  dim3 grid, block;
  size_t shared_bytes;
  cudaStream_t stream;
  const char* file;
  int line;
};
thread_local Configuration configuration;

}  // namespace

KernelInfo* find_kernel(const void* func) {
  const std::lock_guard lock(registry().mutex);
  const auto found = registry().kernels.find(func);
  if (found == registry().kernels.end()) return nullptr;
  KernelInfo* const kernel = found->second.get();
  if (kernel->name.empty()) {
    read_kernel_symbols(kernel);
    const size_t limit = profile().shared_per_block;
    kernel->max_dynamic_shared =
        kernel->static_shared < limit ? static_cast<int>(limit - kernel->static_shared) : 0;
  }
  return kernel;
}

std::vector<DeviceVariable> device_variables() {
  const std::lock_guard lock(registry().mutex);
  std::vector<DeviceVariable> all;
  for (const auto& [begin, variable] : registry().variables) all.push_back(variable);
  return all;
}

const DeviceVariable* find_variable(const void* address) {
  const std::lock_guard lock(registry().mutex);
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  const auto after = registry().variables.upper_bound(wanted);
  if (after == registry().variables.begin()) return nullptr;
  const DeviceVariable& candidate = std::prev(after)->second;
  return wanted < candidate.begin + candidate.size ? &candidate : nullptr;
}

}  // namespace cpu_device

using cpu_device::find_kernel;
using cpu_device::KernelInfo;
using cpu_device::profile;
using cpu_device::registry;
using cpu_device::report;

extern "C" {

int cpuDeviceRegisterKernel(const void* func, void (*invoke)(void**), unsigned max_threads) {
  const std::lock_guard lock(registry().mutex);
  auto kernel = std::make_unique<KernelInfo>();
  kernel->func = func;
  kernel->invoke = invoke;
  if (max_threads != 0)
    kernel->max_threads = std::min(max_threads, cpu_device::kMaxThreadsPerBlock);
  registry().kernels[func] = std::move(kernel);
  return 0;
}

int cpuDeviceRegisterVariable(const void* address, size_t size, const char* name, int constant) {
  const std::lock_guard lock(registry().mutex);
  const auto begin = reinterpret_cast<uintptr_t>(address);
  registry().variables[begin] = {begin, size, name, constant != 0};
  return 0;
}

int cpuDevicePushConfiguration(
    dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, const char* file, int line) {
  cpu_device::configuration = {grid, block, shared_bytes, stream, file, line};
  return 0;
}

void cpuDevicePopConfiguration(
    dim3* grid, dim3* block, size_t* shared_bytes, cudaStream_t* stream) {
  *grid = cpu_device::configuration.grid;
  *block = cpu_device::configuration.block;
  *shared_bytes = cpu_device::configuration.shared_bytes;
  *stream = cpu_device::configuration.stream;
}

const char* cpuDeviceLaunchSite(int* line) {
  *line = cpu_device::configuration.line;
  return cpu_device::configuration.file;
}

unsigned long long cpuDeviceStaticBytes(void) {
  const std::lock_guard lock(registry().mutex);
  unsigned long long bytes = 0;
  for (const auto& [begin, variable] : registry().variables) bytes += variable.size;
  return bytes;
}

cudaError_t cudaFuncSetAttribute(const void* func, enum cudaFuncAttribute attr, int value) {
  KernelInfo* const kernel = find_kernel(func);
  if (kernel == nullptr) return report(cudaErrorInvalidDeviceFunction);
  switch (attr) {
    case cudaFuncAttributeMaxDynamicSharedMemorySize:
      if (value < 0 || value + kernel->static_shared > profile().shared_per_block_optin) {
        return report(cudaErrorInvalidValue);
      }
      kernel->max_dynamic_shared = value;
      return report(cudaSuccess);
    case cudaFuncAttributePreferredSharedMemoryCarveout:
      return report(value >= -1 && value <= 100 ? cudaSuccess : cudaErrorInvalidValue);
  }
  return report(cudaErrorInvalidValue);
}

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes* attr, const void* func) {
  if (attr == nullptr) return report(cudaErrorInvalidValue);
  const KernelInfo* const kernel = find_kernel(func);
  if (kernel == nullptr) return report(cudaErrorInvalidDeviceFunction);
  const int version = profile().major * 10 + profile().minor;
  *attr = {};
  attr->sharedSizeBytes = kernel->static_shared;
  attr->maxThreadsPerBlock = static_cast<int>(kernel->max_threads);
  attr->numRegs = 32;
  attr->ptxVersion = version;
  attr->binaryVersion = version;
  attr->maxDynamicSharedSizeBytes = kernel->max_dynamic_shared;
  attr->preferredShmemCarveout = -1;
  return report(cudaSuccess);
}

cudaError_t cudaFuncSetCacheConfig(const void* func, enum cudaFuncCache) {
  return report(find_kernel(func) != nullptr ? cudaSuccess : cudaErrorInvalidDeviceFunction);
}

// Threads, blocks and shared memory limit occupancy; registers are not modelled.
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(
    int* num_blocks, const void* func, int block_size, size_t dynamic_shared_bytes) {
  const KernelInfo* const kernel = find_kernel(func);
  if (kernel == nullptr) return report(cudaErrorInvalidDeviceFunction);
  if (num_blocks == nullptr || block_size <= 0) return report(cudaErrorInvalidValue);
  const cpu_device::DeviceProfile& p = profile();
  *num_blocks = 0;
  const size_t shared = kernel->static_shared + dynamic_shared_bytes;
  if (block_size > static_cast<int>(kernel->max_threads) || shared > p.shared_per_block_optin) {
    return report(cudaSuccess);
  }
  const int warps = (block_size + 31) / 32;
  int blocks = p.threads_per_multiprocessor / (warps * 32);
  if (blocks > p.blocks_per_multiprocessor) blocks = p.blocks_per_multiprocessor;
  const int by_shared =
      static_cast<int>(p.shared_per_multiprocessor / (shared + p.shared_reserved_per_block));
  if (blocks > by_shared) blocks = by_shared;
  *num_blocks = blocks;
  return report(cudaSuccess);
}

}  // extern "C"
