#include "errors.h"

#include <pthread.h>

#include <atomic>

#include "checker.h"

namespace cpu_device {
namespace {

thread_local cudaError_t last_error = cudaSuccess;
std::atomic<cudaError_t> sticky{cudaSuccess};
bool forked = false;

}  // namespace

cudaError_t report(cudaError_t error) {
  const cudaError_t stuck = sticky.load(std::memory_order_relaxed);
  if (stuck != cudaSuccess) error = stuck;
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

cudaError_t sticky_error() { return sticky.load(std::memory_order_relaxed); }

void set_sticky_error(cudaError_t error) {
  cudaError_t expected = cudaSuccess;
  sticky.compare_exchange_strong(expected, error);
}

void clear_errors() {
  sticky.store(forked ? cudaErrorInitializationError : cudaSuccess);
  last_error = cudaSuccess;
}

void refuse_work_after_fork() {
  [[maybe_unused]] static const int registered = pthread_atfork(nullptr, nullptr, [] {
    forked = true;
    sticky = cudaErrorInitializationError;
  });
}

}  // namespace cpu_device

extern "C" {

cudaError_t cudaGetLastError(void) {
  if (cpu_device::Checker::enabled()) cpu_device::Checker::instance().errors_seen();
  const cudaError_t error = cpu_device::report(cpu_device::last_error);
  cpu_device::last_error = cudaSuccess;
  return error;
}

cudaError_t cudaPeekAtLastError(void) {
  if (cpu_device::Checker::enabled()) cpu_device::Checker::instance().errors_seen();
  return cpu_device::report(cpu_device::last_error);
}

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define CPU_DEVICE_ERROR(name, value, text) \
  case name:                                \
    return #name;
#include "cpu_device/errors.def"
#undef CPU_DEVICE_ERROR
  }
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define CPU_DEVICE_ERROR(name, value, text) \
  case name:                                \
    return text;
#include "cpu_device/errors.def"
#undef CPU_DEVICE_ERROR
  }
  return "unrecognized error code";
}

}  // extern "C"
