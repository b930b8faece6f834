// Streams and events. Work is done when it is submitted, so a stream is always idle and an event records the present.
#include <time.h>

#include <algorithm>
#include <mutex>
#include <unordered_set>

#include "cuda_runtime_api.h"
#include "errors.h"

struct CUstream_st {
  unsigned int flags;
  int priority;
};
struct CUevent_st {
  bool timing;
  bool recorded;
  long long nanoseconds;
};

namespace cpu_device {
namespace {

constexpr int kLeastPriority = 0;
constexpr int kGreatestPriority = -5;

template <class T>
class Handles {
 public:
  T* add(T value) {
    const std::lock_guard lock(mutex_);
    return *live_.insert(new T(value)).first;
  }
  bool contains(T* handle) {
    const std::lock_guard lock(mutex_);
    return live_.contains(handle);
  }
  bool remove(T* handle) {
    const std::lock_guard lock(mutex_);
    if (live_.erase(handle) == 0) return false;
    delete handle;
    return true;
  }

 private:
  std::mutex mutex_;
  std::unordered_set<T*> live_;
};

Handles<CUstream_st>& streams() {
  static auto& instance = *new Handles<CUstream_st>;
  return instance;
}
Handles<CUevent_st>& events() {
  static auto& instance = *new Handles<CUevent_st>;
  return instance;
}

bool valid(cudaStream_t stream) {
  return stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread ||
         streams().contains(stream);
}

cudaError_t check(cudaStream_t stream) {
  return valid(stream) ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

cudaError_t check(cudaEvent_t event) {
  return events().contains(event) ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

}  // namespace
}  // namespace cpu_device

using cpu_device::check;
using cpu_device::events;
using cpu_device::kGreatestPriority;
using cpu_device::kLeastPriority;
using cpu_device::report;
using cpu_device::streams;

extern "C" {

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned int flags, int priority) {
  if (stream == nullptr || flags > cudaStreamNonBlocking) return report(cudaErrorInvalidValue);
  *stream = streams().add({flags, std::clamp(priority, kGreatestPriority, kLeastPriority)});
  return report(cudaSuccess);
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) {
  return cudaStreamCreateWithPriority(stream, flags, kLeastPriority);
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithPriority(stream, cudaStreamDefault, kLeastPriority);
}
cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned int* flags) {
  if (const cudaError_t error = check(stream)) return report(error);
  if (flags == nullptr) return report(cudaErrorInvalidValue);
  *flags = streams().contains(stream) ? stream->flags : cudaStreamDefault;
  return report(cudaSuccess);
}
cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority) {
  if (const cudaError_t error = check(stream)) return report(error);
  if (priority == nullptr) return report(cudaErrorInvalidValue);
  *priority = streams().contains(stream) ? stream->priority : kLeastPriority;
  return report(cudaSuccess);
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  if (least != nullptr) *least = kLeastPriority;
  if (greatest != nullptr) *greatest = kGreatestPriority;
  return report(cudaSuccess);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return report(streams().remove(stream) ? cudaSuccess : cudaErrorInvalidResourceHandle);
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return report(check(stream)); }
cudaError_t cudaStreamQuery(cudaStream_t stream) { return report(check(stream)); }
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int) {
  const cudaError_t error = check(stream);
  return report(error != cudaSuccess ? error : check(event));
}
cudaError_t cudaStreamAddCallback(
    cudaStream_t stream, cudaStreamCallback_t callback, void* userData, unsigned int flags) {
  if (callback == nullptr || flags != 0) return report(cudaErrorInvalidValue);
  if (const cudaError_t error = check(stream)) return report(error);
  callback(stream, cpu_device::sticky_error(), userData);
  return report(cudaSuccess);
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t fn, void* userData) {
  if (fn == nullptr) return report(cudaErrorInvalidValue);
  if (const cudaError_t error = check(stream)) return report(error);
  if (cpu_device::sticky_error() == cudaSuccess) fn(userData);
  return report(cudaSuccess);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int flags) {
  if (event == nullptr || flags > (cudaEventBlockingSync | cudaEventDisableTiming)) {
    return report(cudaErrorInvalidValue);
  }
  *event = events().add({(flags & cudaEventDisableTiming) == 0, false, 0});
  return report(cudaSuccess);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return report(events().remove(event) ? cudaSuccess : cudaErrorInvalidResourceHandle);
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (const cudaError_t error = check(event)) return report(error);
  if (const cudaError_t error = check(stream)) return report(error);
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  event->nanoseconds = now.tv_sec * 1000000000ll + now.tv_nsec;
  event->recorded = true;
  return report(cudaSuccess);
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) { return report(check(event)); }
cudaError_t cudaEventQuery(cudaEvent_t event) { return report(check(event)); }
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t end) {
  if (ms == nullptr) return report(cudaErrorInvalidValue);
  if (const cudaError_t error = check(start)) return report(error);
  if (const cudaError_t error = check(end)) return report(error);
  if (!start->timing || !end->timing || !start->recorded || !end->recorded) {
    return report(cudaErrorInvalidResourceHandle);
  }
  *ms = static_cast<float>(end->nanoseconds - start->nanoseconds) * 1e-6f;
  return report(cudaSuccess);
}

}  // extern "C"
