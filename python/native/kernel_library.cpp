#include "kernel_library.h"

#include <dlfcn.h>

#include <mutex>
#include <stdexcept>

namespace flash_lessons {
namespace {

// The CPU device runs one call at a time: what it counts and where it faulted are the device's.
std::mutex cpu_device_mutex;

}  // namespace

KernelLibrary::KernelLibrary(const std::string& path) : path_(path) {
  const std::lock_guard<std::mutex> lock(cpu_device_mutex);
  // DEEPBIND: its own CUDA runtime comes before one that PyTorch has made global.
  handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (handle_ == nullptr) throw std::runtime_error(dlerror());
  if (find<int()>("flash_lessons_call_version")() != kCallVersion)
    throw std::runtime_error(path + " was built by another version of flash_lessons");
  is_gpu_ = find<int()>("flash_lessons_is_gpu")() != 0;
  functions_ = find<int()>("flash_lessons_functions")();
  static_bytes_ = find<std::uint64_t()>("flash_lessons_static_bytes")();
  if (!is_gpu_) {  // where it answers for all libraries together
    static std::uint64_t before = 0;
    static_bytes_ -= before;
    before += static_bytes_;
  }
}

void* KernelLibrary::symbol(const char* name) const {
  void* const symbol = dlsym(handle_, name);
  if (symbol == nullptr) throw std::runtime_error(path_ + " is no kernel library: " + name);
  return symbol;
}

void KernelLibrary::run(
    const Call& call, Result* result, FindingCallback on_finding, void* user) const {
  auto* const function = find<decltype(flash_lessons_run)>("flash_lessons_run");
  std::unique_lock<std::mutex> lock(cpu_device_mutex, std::defer_lock);
  if (!is_gpu_) lock.lock();
  function(&call, result, on_finding, user);
}

void load_runtime(const std::string& path) {
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND) == nullptr)
    throw std::runtime_error(dlerror());
}

}  // namespace flash_lessons
