#include "memory.h"

#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "checker.h"
#include "device.h"
#include "errors.h"

namespace cpu_device {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kGuard = 64 * 1024;
constexpr size_t kAlignment = 256;
constexpr size_t kFilled = 16u << 20;

size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

class Memory {
 public:
  cudaError_t allocate(void** ptr, size_t size, MemoryKind kind) {
    if (ptr == nullptr) return cudaErrorInvalidValue;
    *ptr = nullptr;
    if (size == 0) return cudaSuccess;
    const std::lock_guard lock(mutex_);
    const size_t counted = kind == MemoryKind::kHost ? 0 : round_up(size, kAlignment);
    if (size > (size_t{1} << 46) || counted > profile().total_memory - used_) {
      return cudaErrorMemoryAllocation;
    }
    const size_t span = round_up(size, kPage);
    if (!reserve() || next_ + span + kGuard > end_) return cudaErrorMemoryAllocation;
    void* const pages = reinterpret_cast<void*>(next_);
    if (mprotect(pages, span, PROT_READ | PROT_WRITE) != 0) return cudaErrorMemoryAllocation;
    // The end of the data lies as near to the guard page as the alignment allows.
    const uintptr_t begin = next_ + span - round_up(size, kAlignment);
    next_ += span + kGuard;
    memset(reinterpret_cast<void*>(begin), 0xff, std::min(size, kFilled));
    live_[begin] = Allocation{begin, size, kind};
    used_ += counted;
    peak_ = std::max(peak_, used_);
    *ptr = reinterpret_cast<void*>(begin);
    return cudaSuccess;
  }

  cudaError_t release(void* ptr, bool host) {
    if (ptr == nullptr) return cudaSuccess;
    const std::lock_guard lock(mutex_);
    const auto found = live_.find(reinterpret_cast<uintptr_t>(ptr));
    if (found == live_.end() || (found->second.kind == MemoryKind::kHost) != host) {
      return cudaErrorInvalidValue;
    }
    drop(found->second);
    live_.erase(found);
    return cudaSuccess;
  }

  void release_all() {
    const std::lock_guard lock(mutex_);
    for (const auto& [begin, allocation] : live_) drop(allocation);
    live_.clear();
  }

  std::optional<Allocation> find(uintptr_t address) {
    const std::lock_guard lock(mutex_);
    auto after = live_.upper_bound(address);
    if (after == live_.begin()) return std::nullopt;
    const Allocation& candidate = std::prev(after)->second;
    if (address >= candidate.begin + candidate.size) return std::nullopt;
    return candidate;
  }

  std::optional<Allocation> nearest(uintptr_t address) {
    const std::lock_guard lock(mutex_);
    const auto after = live_.upper_bound(address);
    std::optional<Allocation> best;
    if (after != live_.end()) best = after->second;
    if (after != live_.begin()) {
      const Allocation& before = std::prev(after)->second;
      if (!best || address - before.begin - before.size <= best->begin - address) best = before;
    }
    return best;
  }

  AddressRange range() const { return {begin_, end_ - begin_}; }
  bool contains(uintptr_t address) const { return address >= begin_ && address < end_; }
  bool was_used(uintptr_t address) const { return address >= begin_ && address < next_; }

  size_t used() {
    const std::lock_guard lock(mutex_);
    return used_;
  }
  size_t peak() {
    const std::lock_guard lock(mutex_);
    return peak_;
  }

 private:
  // Address space only: nothing is committed until an allocation asks for it. Smaller where a limit forbids more.
  bool reserve() {
    for (size_t bytes = size_t{1} << 42; begin_ == 0 && bytes >= size_t{1} << 30; bytes /= 4) {
      void* const range =
          mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (range == MAP_FAILED) continue;
      begin_ = reinterpret_cast<uintptr_t>(range);
      end_ = begin_ + bytes;
      next_ = begin_ + kGuard;
    }
    return begin_ != 0;
  }

  void drop(const Allocation& allocation) {
    const uintptr_t first_page = allocation.begin / kPage * kPage;
    const uintptr_t end = round_up(allocation.begin + allocation.size, kPage);
    mmap(
        reinterpret_cast<void*>(first_page), end - first_page, PROT_NONE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (allocation.kind != MemoryKind::kHost) used_ -= round_up(allocation.size, kAlignment);
  }

  std::mutex mutex_;
  std::map<uintptr_t, Allocation> live_;
  uintptr_t begin_ = 0;
  uintptr_t end_ = 0;
  uintptr_t next_ = 0;
  size_t used_ = 0;
  size_t peak_ = 0;
};

// Never destroyed: programs may free memory from their own static destructors.
Memory& memory() {
  static Memory& instance = *new Memory;
  return instance;
}

// caller: the code that called the API function, for the checked mode's reports.
cudaError_t allocate_for_api(void** ptr, size_t size, MemoryKind kind, void* caller) {
  if (const cudaError_t error = sticky_error()) return report(error);
  const cudaError_t error = allocate(ptr, size, kind);
  if (Checker::enabled() && error == cudaSuccess && *ptr != nullptr) {
    Checker::instance().allocated(
        reinterpret_cast<uintptr_t>(*ptr), size, kind != MemoryKind::kDevice,
        reinterpret_cast<uintptr_t>(caller));
  }
  return report(error);
}

cudaError_t release_for_api(void* ptr, bool host, void* caller) {
  if (const cudaError_t error = sticky_error()) return report(error);
  const cudaError_t error = release(ptr, host);
  if (Checker::enabled() && ptr != nullptr) {
    const auto address = reinterpret_cast<uintptr_t>(ptr);
    if (error == cudaSuccess) {
      Checker::instance().freed(address);
    } else {
      Checker::instance().invalid_free(address, reinterpret_cast<uintptr_t>(caller));
    }
  }
  return report(error);
}

}  // namespace

cudaError_t allocate(void** ptr, size_t size, MemoryKind kind) {
  return memory().allocate(ptr, size, kind);
}
cudaError_t release(void* ptr, bool host) { return memory().release(ptr, host); }
void release_all() { memory().release_all(); }
std::optional<Allocation> find_allocation(const void* ptr) {
  return memory().find(reinterpret_cast<uintptr_t>(ptr));
}
std::optional<Allocation> nearest_allocation(uintptr_t address) {
  return memory().nearest(address);
}
bool was_allocated(uintptr_t address) { return memory().was_used(address); }
AddressRange device_range() { return memory().range(); }
bool in_device_range(uintptr_t address) { return memory().contains(address); }
size_t device_bytes_in_use() { return memory().used(); }
size_t device_bytes_at_peak() { return memory().peak(); }

}  // namespace cpu_device

using cpu_device::allocate_for_api;
using cpu_device::MemoryKind;
using cpu_device::release_for_api;
using cpu_device::report;

extern "C" {

cudaError_t cudaMalloc(void** ptr, size_t size) {
  return allocate_for_api(ptr, size, MemoryKind::kDevice, __builtin_return_address(0));
}
cudaError_t cudaMallocAsync(void** ptr, size_t size, cudaStream_t) {
  return allocate_for_api(ptr, size, MemoryKind::kDevice, __builtin_return_address(0));
}
cudaError_t cudaMallocFromPoolAsync(void** ptr, size_t size, cudaMemPool_t, cudaStream_t) {
  return allocate_for_api(ptr, size, MemoryKind::kDevice, __builtin_return_address(0));
}
cudaError_t cudaMallocManaged(void** ptr, size_t size, unsigned int flags) {
  if (size == 0 || (flags != cudaMemAttachGlobal && flags != cudaMemAttachHost)) {
    return report(cudaErrorInvalidValue);
  }
  return allocate_for_api(ptr, size, MemoryKind::kManaged, __builtin_return_address(0));
}
cudaError_t cudaMallocHost(void** ptr, size_t size) {
  return allocate_for_api(ptr, size, MemoryKind::kHost, __builtin_return_address(0));
}
cudaError_t cudaHostAlloc(void** ptr, size_t size, unsigned int) {
  return allocate_for_api(ptr, size, MemoryKind::kHost, __builtin_return_address(0));
}
cudaError_t cudaHostGetDevicePointer(void** device_ptr, void* host_ptr, unsigned int) {
  const auto allocation = cpu_device::find_allocation(host_ptr);
  if (device_ptr == nullptr || !allocation || allocation->kind != MemoryKind::kHost) {
    return report(cudaErrorInvalidValue);
  }
  *device_ptr = host_ptr;
  return report(cudaSuccess);
}
cudaError_t cudaMallocPitch(void** ptr, size_t* pitch, size_t width, size_t height) {
  if (pitch == nullptr) return report(cudaErrorInvalidValue);
  *pitch = cpu_device::round_up(width, 512);
  return allocate_for_api(ptr, *pitch * height, MemoryKind::kDevice, __builtin_return_address(0));
}
cudaError_t cudaMalloc3D(struct cudaPitchedPtr* ptr, struct cudaExtent extent) {
  if (ptr == nullptr) return report(cudaErrorInvalidValue);
  ptr->xsize = extent.width;
  ptr->ysize = extent.height;
  ptr->pitch = cpu_device::round_up(extent.width, 512);
  return allocate_for_api(
      &ptr->ptr, ptr->pitch * extent.height * extent.depth, MemoryKind::kDevice,
      __builtin_return_address(0));
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  if (pool == nullptr) return report(cudaErrorInvalidValue);
  if (device != 0) return report(cudaErrorInvalidDevice);
  static char default_pool;
  *pool = reinterpret_cast<cudaMemPool_t>(&default_pool);
  return report(cudaSuccess);
}
cudaError_t cudaFree(void* ptr) { return release_for_api(ptr, false, __builtin_return_address(0)); }
cudaError_t cudaFreeAsync(void* ptr, cudaStream_t) {
  return release_for_api(ptr, false, __builtin_return_address(0));
}
cudaError_t cudaFreeHost(void* ptr) {
  return release_for_api(ptr, true, __builtin_return_address(0));
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  if (free_bytes == nullptr || total_bytes == nullptr) return report(cudaErrorInvalidValue);
  *total_bytes = cpu_device::profile().total_memory;
  *free_bytes = *total_bytes - cpu_device::device_bytes_in_use();
  return report(cudaSuccess);
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes* attributes, const void* ptr) {
  if (attributes == nullptr) return report(cudaErrorInvalidValue);
  *attributes = {cudaMemoryTypeUnregistered, -2, nullptr, const_cast<void*>(ptr)};
  if (const auto allocation = cpu_device::find_allocation(ptr)) {
    attributes->device = 0;
    attributes->devicePointer = const_cast<void*>(ptr);
    switch (allocation->kind) {
      case MemoryKind::kDevice:
        attributes->type = cudaMemoryTypeDevice;
        attributes->hostPointer = nullptr;
        break;
      case MemoryKind::kManaged:
        attributes->type = cudaMemoryTypeManaged;
        break;
      case MemoryKind::kHost:
        attributes->type = cudaMemoryTypeHost;
        break;
    }
  }
  return report(cudaSuccess);
}

}  // extern "C"
