#include "device.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>

#include "checker.h"
#include "cpu_device.h"
#include "cuda_runtime_api.h"
#include "errors.h"
#include "memory.h"

namespace cpu_device {
namespace {

constexpr DeviceProfile kProfiles[] = {
    {"default", 8, 6, size_t{16} << 30, 48 << 10, 99 << 10, 100 << 10, 1 << 10, 46, 1536, 16,
     4 << 20},
    // A card sold with 141 GB: total_memory is what cudaGetDeviceProperties says of it.
    {"h200", 9, 0, 150'109'880'320, 48 << 10, 227 << 10, 228 << 10, 1 << 10, 132, 2048, 32,
     60 << 20},
};

// The profile that the environment asks for; null: there is none of that name.
const DeviceProfile* wanted_profile() {
  const char* const wanted = getenv("CPU_DEVICE_PROFILE");
  if (wanted == nullptr || *wanted == '\0') return &kProfiles[0];
  for (const DeviceProfile& candidate : kProfiles) {
    if (strcmp(candidate.name, wanted) == 0) return &candidate;
  }
  return nullptr;
}

const DeviceProfile& choose_profile() {
  if (const DeviceProfile* const wanted = wanted_profile()) return *wanted;
  fprintf(stderr, "cpu_device: %s\n", cpuDeviceProfileError());
  exit(2);
}

}  // namespace

const DeviceProfile& profile() {
  static const DeviceProfile& chosen = choose_profile();
  return chosen;
}

}  // namespace cpu_device

using cpu_device::profile;
using cpu_device::report;

extern "C" {

const char* cpuDeviceProfileError(void) {
  if (cpu_device::wanted_profile() != nullptr) return nullptr;
  static thread_local std::string text;
  text = std::string("CPU_DEVICE_PROFILE=") + getenv("CPU_DEVICE_PROFILE") + " is unknown; known:";
  for (const cpu_device::DeviceProfile& candidate : cpu_device::kProfiles)
    text += std::string(" ") + candidate.name;
  return text.c_str();
}

cudaError_t cudaGetDeviceCount(int* count) {
  if (count == nullptr) return report(cudaErrorInvalidValue);
  *count = 1;
  return report(cudaSuccess);
}
cudaError_t cudaGetDevice(int* device) {
  if (device == nullptr) return report(cudaErrorInvalidValue);
  *device = 0;
  return report(cudaSuccess);
}
cudaError_t cudaSetDevice(int device) {
  return report(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}
cudaError_t cudaDeviceSynchronize(void) { return report(cudaSuccess); }
cudaError_t cudaDeviceReset(void) {
  cpu_device::release_all();
  if (cpu_device::Checker::enabled()) cpu_device::Checker::instance().all_freed();
  cpu_device::clear_errors();
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp* prop, int device) {
  if (prop == nullptr) return report(cudaErrorInvalidValue);
  if (device != 0) return report(cudaErrorInvalidDevice);
  const cpu_device::DeviceProfile& p = profile();
  *prop = {};
  snprintf(prop->name, sizeof prop->name, "CPU device (profile %s)", p.name);
  prop->totalGlobalMem = p.total_memory;
  prop->sharedMemPerBlock = p.shared_per_block;
  prop->regsPerBlock = 65536;
  prop->warpSize = 32;
  prop->memPitch = INT_MAX;
  prop->maxThreadsPerBlock = cpu_device::kMaxThreadsPerBlock;
  prop->maxThreadsDim[0] = prop->maxThreadsDim[1] = cpu_device::kMaxThreadsPerBlock;
  prop->maxThreadsDim[2] = cpu_device::kMaxBlockZ;
  prop->maxGridSize[0] = cpu_device::kMaxGridX;
  prop->maxGridSize[1] = prop->maxGridSize[2] = cpu_device::kMaxGridYZ;
  prop->totalConstMem = 65536;
  prop->major = p.major;
  prop->minor = p.minor;
  prop->multiProcessorCount = p.multiprocessors;
  prop->canMapHostMemory = 1;
  prop->concurrentKernels = 1;
  prop->asyncEngineCount = 1;
  prop->unifiedAddressing = 1;
  prop->memoryBusWidth = 256;
  prop->l2CacheSize = p.l2_bytes;
  prop->maxThreadsPerMultiProcessor = p.threads_per_multiprocessor;
  prop->sharedMemPerMultiprocessor = p.shared_per_multiprocessor;
  prop->regsPerMultiprocessor = 65536;
  prop->managedMemory = 1;
  prop->concurrentManagedAccess = 1;
  prop->sharedMemPerBlockOptin = p.shared_per_block_optin;
  prop->maxBlocksPerMultiProcessor = p.blocks_per_multiprocessor;
  prop->reservedSharedMemPerBlock = p.shared_reserved_per_block;
  prop->memoryPoolsSupported = 1;
  return report(cudaSuccess);
}

cudaError_t cudaDeviceGetAttribute(int* value, enum cudaDeviceAttr attr, int device) {
  cudaDeviceProp prop;
  if (value == nullptr) return report(cudaErrorInvalidValue);
  if (const cudaError_t error = cudaGetDeviceProperties(&prop, device)) return error;
  switch (attr) {
    case cudaDevAttrMaxThreadsPerBlock:
      *value = prop.maxThreadsPerBlock;
      break;
    case cudaDevAttrMaxBlockDimX:
      *value = prop.maxThreadsDim[0];
      break;
    case cudaDevAttrMaxBlockDimY:
      *value = prop.maxThreadsDim[1];
      break;
    case cudaDevAttrMaxBlockDimZ:
      *value = prop.maxThreadsDim[2];
      break;
    case cudaDevAttrMaxGridDimX:
      *value = prop.maxGridSize[0];
      break;
    case cudaDevAttrMaxGridDimY:
      *value = prop.maxGridSize[1];
      break;
    case cudaDevAttrMaxGridDimZ:
      *value = prop.maxGridSize[2];
      break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = static_cast<int>(prop.sharedMemPerBlock);
      break;
    case cudaDevAttrTotalConstantMemory:
      *value = static_cast<int>(prop.totalConstMem);
      break;
    case cudaDevAttrWarpSize:
      *value = prop.warpSize;
      break;
    case cudaDevAttrMaxPitch:
      *value = static_cast<int>(prop.memPitch);
      break;
    case cudaDevAttrMaxRegistersPerBlock:
      *value = prop.regsPerBlock;
      break;
    case cudaDevAttrClockRate:
      *value = 1000000;  // kHz: cpuDeviceClock counts nanoseconds
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = prop.multiProcessorCount;
      break;
    case cudaDevAttrIntegrated:
      *value = prop.integrated;
      break;
    case cudaDevAttrCanMapHostMemory:
      *value = prop.canMapHostMemory;
      break;
    case cudaDevAttrConcurrentKernels:
      *value = prop.concurrentKernels;
      break;
    case cudaDevAttrMemoryClockRate:
      *value = 1000000;
      break;
    case cudaDevAttrGlobalMemoryBusWidth:
      *value = prop.memoryBusWidth;
      break;
    case cudaDevAttrL2CacheSize:
      *value = prop.l2CacheSize;
      break;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = prop.maxThreadsPerMultiProcessor;
      break;
    case cudaDevAttrAsyncEngineCount:
      *value = prop.asyncEngineCount;
      break;
    case cudaDevAttrUnifiedAddressing:
      *value = prop.unifiedAddressing;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = prop.major;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = prop.minor;
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = static_cast<int>(prop.sharedMemPerMultiprocessor);
      break;
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      *value = prop.regsPerMultiprocessor;
      break;
    case cudaDevAttrManagedMemory:
      *value = prop.managedMemory;
      break;
    case cudaDevAttrConcurrentManagedAccess:
      *value = prop.concurrentManagedAccess;
      break;
    case cudaDevAttrCooperativeLaunch:
      *value = prop.cooperativeLaunch;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(prop.sharedMemPerBlockOptin);
      break;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      *value = prop.maxBlocksPerMultiProcessor;
      break;
    case cudaDevAttrReservedSharedMemoryPerBlock:
      *value = static_cast<int>(prop.reservedSharedMemPerBlock);
      break;
    case cudaDevAttrMemoryPoolsSupported:
      *value = prop.memoryPoolsSupported;
      break;
    default:
      return report(cudaErrorInvalidValue);
  }
  return report(cudaSuccess);
}

cudaError_t cudaDeviceSetLimit(enum cudaLimit, size_t) { return report(cudaSuccess); }
cudaError_t cudaDeviceGetLimit(size_t* value, enum cudaLimit limit) {
  if (value == nullptr) return report(cudaErrorInvalidValue);
  switch (limit) {
    case cudaLimitStackSize:
      *value = 1024;
      return report(cudaSuccess);
    case cudaLimitPrintfFifoSize:
      *value = 1 << 20;
      return report(cudaSuccess);
    case cudaLimitMallocHeapSize:
      *value = 8 << 20;
      return report(cudaSuccess);
  }
  return report(cudaErrorInvalidValue);
}
cudaError_t cudaDeviceSetCacheConfig(enum cudaFuncCache) { return report(cudaSuccess); }
cudaError_t cudaDriverGetVersion(int* version) {
  if (version == nullptr) return report(cudaErrorInvalidValue);
  *version = CUDART_VERSION;
  return report(cudaSuccess);
}
cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }

}  // extern "C"
