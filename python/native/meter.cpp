#include "meter.h"

#include <algorithm>
#include <map>
#include <mutex>

namespace flash_lessons {
namespace {

// Of this thread, while its launcher runs.
thread_local Result* current_result = nullptr;
thread_local bool skipping_launches = false;

// What launchers have allocated and not yet freed.
class Meter {
 public:
  void begin(Result* result) {
    const std::lock_guard<std::mutex> lock(mutex_);
    result->peak_bytes = held_;
  }

  cudaError_t allocated(cudaError_t error, void* const* pointer, std::uint64_t bytes) {
    Result* const result = current_result;
    if (result == nullptr) return error;
    const std::lock_guard<std::mutex> lock(mutex_);
    ++result->allocations;
    if (error != cudaSuccess) {
      if (result->failed_bytes == 0) result->failed_bytes = bytes;
      return error;
    }
    bytes_[*pointer] = bytes;
    held_ += bytes;
    result->peak_bytes = std::max(result->peak_bytes, held_);
    return error;
  }

  void freed(void* pointer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = bytes_.find(pointer);
    if (found == bytes_.end()) return;
    held_ -= found->second;
    bytes_.erase(found);
  }

  void forget_all() {
    const std::lock_guard<std::mutex> lock(mutex_);
    bytes_.clear();
    held_ = 0;
  }

  std::uint64_t held() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return held_;
  }

 private:
  std::mutex mutex_;
  std::map<void*, std::uint64_t> bytes_;
  std::uint64_t held_ = 0;
};

Meter& meter() {
  static Meter* const instance = new Meter;  // never destroyed: launchers may free memory late
  return *instance;
}

template <typename Launch>
cudaError_t launched(Launch launch) {
  if (current_result != nullptr) ++current_result->launches;
  return skipping_launches ? cudaSuccess : launch();
}

#ifndef CPU_DEVICE
std::uint64_t bytes_of_variables = 0;
#endif

}  // namespace

void begin_metering(Result* result, bool skip_launches) {
  meter().begin(result);
  current_result = result;
  skipping_launches = skip_launches;
}

void end_metering() {
  Result* const result = current_result;
  current_result = nullptr;
  skipping_launches = false;
  result->held_bytes = meter().held();
}

void forget_allocations() { meter().forget_all(); }

#ifndef CPU_DEVICE
std::uint64_t registered_bytes() { return bytes_of_variables; }
#endif

}  // namespace flash_lessons

using namespace flash_lessons;

// WRAP(type, name, parameters): declares the device's function and begins our own.
#define WRAP(type, name, ...)      \
  type __real_##name(__VA_ARGS__); \
  type __wrap_##name(__VA_ARGS__); \
  type __wrap_##name(__VA_ARGS__)

extern "C" {

WRAP(cudaError_t, cudaMalloc, void** pointer, size_t bytes) {
  return meter().allocated(__real_cudaMalloc(pointer, bytes), pointer, bytes);
}
WRAP(cudaError_t, cudaMallocAsync, void** pointer, size_t bytes, cudaStream_t stream) {
  return meter().allocated(__real_cudaMallocAsync(pointer, bytes, stream), pointer, bytes);
}
WRAP(
    cudaError_t, cudaMallocFromPoolAsync, void** pointer, size_t bytes, cudaMemPool_t pool,
    cudaStream_t stream) {
  return meter().allocated(
      __real_cudaMallocFromPoolAsync(pointer, bytes, pool, stream), pointer, bytes);
}
WRAP(cudaError_t, cudaMallocManaged, void** pointer, size_t bytes, unsigned int flags) {
  return meter().allocated(__real_cudaMallocManaged(pointer, bytes, flags), pointer, bytes);
}
WRAP(cudaError_t, cudaMallocPitch, void** pointer, size_t* pitch, size_t width, size_t height) {
  const cudaError_t error = __real_cudaMallocPitch(pointer, pitch, width, height);
  return meter().allocated(error, pointer, (error == cudaSuccess ? *pitch : width) * height);
}
WRAP(cudaError_t, cudaMalloc3D, cudaPitchedPtr* result, cudaExtent extent) {
  const cudaError_t error = __real_cudaMalloc3D(result, extent);
  const size_t row = error == cudaSuccess ? result->pitch : extent.width;
  return meter().allocated(error, &result->ptr, row * extent.height * extent.depth);
}
WRAP(cudaError_t, cudaFree, void* pointer) {
  meter().freed(pointer);
  return __real_cudaFree(pointer);
}
WRAP(cudaError_t, cudaFreeAsync, void* pointer, cudaStream_t stream) {
  meter().freed(pointer);
  return __real_cudaFreeAsync(pointer, stream);
}
WRAP(
    cudaError_t, cudaLaunchKernel, const void* kernel, dim3 grid, dim3 block, void** arguments,
    size_t shared, cudaStream_t stream) {
  return launched(
      [&] { return __real_cudaLaunchKernel(kernel, grid, block, arguments, shared, stream); });
}
WRAP(
    cudaError_t, cudaLaunchKernelExC, const cudaLaunchConfig_t* config, const void* kernel,
    void** arguments) {
  return launched([&] { return __real_cudaLaunchKernelExC(config, kernel, arguments); });
}
WRAP(cudaError_t, cudaMemsetAsync, void* to, int value, size_t bytes, cudaStream_t stream) {
  return skipping_launches ? cudaSuccess : __real_cudaMemsetAsync(to, value, bytes, stream);
}
WRAP(cudaError_t, cudaMemset, void* to, int value, size_t bytes) {
  return skipping_launches ? cudaSuccess : __real_cudaMemset(to, value, bytes);
}

#ifndef CPU_DEVICE
// What nvcc of CUDA 13 turns <<<>>> into, and how it tells the runtime of a library's variables.
WRAP(
    cudaError_t, __cudaLaunchKernel, cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
    size_t shared, cudaStream_t stream) {
  return launched(
      [&] { return __real___cudaLaunchKernel(kernel, grid, block, arguments, shared, stream); });
}
WRAP(
    void, __cudaRegisterVar, void** handle, char* host, char* address, const char* name, int ext,
    size_t bytes, int constant, int global) {
  bytes_of_variables += bytes;
  __real___cudaRegisterVar(handle, host, address, name, ext, bytes, constant, global);
}
#endif

}  // extern "C"
