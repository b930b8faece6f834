// The part of every kernel library that is not the student's: brings tensors to the device and back,
// calls the launcher, and reports what the device has to say. What the launcher takes, the meter counts.
#include <cuda_runtime.h>
#ifdef CPU_DEVICE
#include <cpu_device.h>
#endif

#include <algorithm>
#include <cstdio>
#include <vector>

#include "attention.h"
#include "call.h"
#include "meter.h"

// The kernel file's functions: it may lack one.
extern "C" {
__attribute__((weak)) decltype(attention_forward) attention_forward;
__attribute__((weak)) decltype(attention_backward) attention_backward;
}

namespace flash_lessons {
namespace {

// Outputs start as NaN, so that what a kernel leaves out is seen. On the CPU device it is a signalling one
// (call.h): whatever is computed from it differs, so a value that still is one was never written.
constexpr int kFillerByte = 0xff;

bool is_output(const Call& call, int tensor) {
  return call.backward ? tensor >= kDQ : tensor == kO || tensor == kLSE;
}

// The tensors of a call on the device: its own ones, or copies that live as long as this object.
class DeviceTensors {
 public:
  explicit DeviceTensors(const Call& call) : call_(call) {
    std::copy_n(call.tensor, static_cast<int>(kTensors), tensor_);
  }
  ~DeviceTensors() {
    for (int t = 0; t < kTensors; ++t)
      if (owned_[t]) __real_cudaFree(tensor_[t]);
  }
  DeviceTensors(const DeviceTensors&) = delete;
  DeviceTensors& operator=(const DeviceTensors&) = delete;

  cudaError_t prepare(Result* result) {
    for (int t = 0; t < kTensors; ++t) {
      if (tensor_[t] == nullptr || call_.elements[t] == 0) {
        tensor_[t] = nullptr;
        continue;
      }
      const std::size_t bytes = call_.elements[t] * sizeof(float);
      if (call_.gpu < 0) {
        void* pointer = nullptr;
        tensor_[t] = nullptr;
        const cudaError_t error = __real_cudaMalloc(&pointer, bytes);
        if (error != cudaSuccess) {
          result->failed_bytes = bytes;
          return error;
        }
        tensor_[t] = static_cast<float*>(pointer);
        owned_[t] = true;
        result->tensor_bytes[t] = bytes;
      }
      if (const cudaError_t error = fill(t, bytes); error != cudaSuccess) return error;
    }
    return cudaSuccess;
  }

  cudaError_t read_back() const {
    if (call_.gpu >= 0 || call_.skip_launches) return cudaSuccess;
    for (int t = 0; t < kTensors; ++t) {
      if (!is_output(call_, t) || tensor_[t] == nullptr) continue;
      const cudaError_t error = cudaMemcpy(
          call_.tensor[t], tensor_[t], call_.elements[t] * sizeof(float), cudaMemcpyDeviceToHost);
      if (error != cudaSuccess) return error;
    }
    return cudaSuccess;
  }

  // The device was reset and has freed them.
  void forget() { std::fill_n(owned_, static_cast<int>(kTensors), false); }

  float* operator[](int t) const { return tensor_[t]; }

 private:
  cudaError_t fill(int t, std::size_t bytes) const {
    if (call_.skip_launches) return cudaSuccess;
    if (call_.gpu >= 0) {
      if (!is_output(call_, t)) return cudaSuccess;
      return __real_cudaMemsetAsync(
          tensor_[t], kFillerByte, bytes, static_cast<cudaStream_t>(call_.stream));
    }
    if (is_output(call_, t)) {
      const std::vector<std::uint32_t> filler(call_.elements[t], kNeverWritten);
      return cudaMemcpy(tensor_[t], filler.data(), bytes, cudaMemcpyHostToDevice);
    }
    const cudaError_t error =
        cudaMemcpy(tensor_[t], call_.tensor[t], bytes, cudaMemcpyHostToDevice);
#ifdef CPU_DEVICE
    if (call_.count) cpuDeviceMarkReadOnly(tensor_[t], bytes);
#endif
    return error;
  }

  const Call& call_;
  float* tensor_[kTensors];
  bool owned_[kTensors] = {};
};

cudaError_t launch(const Call& call, const DeviceTensors& tensor, Result* result) {
  const AttentionShape shape = {call.batch,     call.num_heads, call.num_heads_kv,
                                call.seq_len_q, call.seq_len_k, call.head_dim};
  const auto stream = static_cast<cudaStream_t>(call.stream);
  begin_metering(result, call.skip_launches != 0);
  const cudaError_t error = call.backward
                                ? attention_backward(
                                      tensor[kQ], tensor[kK], tensor[kV], tensor[kO], tensor[kLSE],
                                      tensor[kDO], tensor[kDQ], tensor[kDK], tensor[kDV], shape,
                                      call.softmax_scale, call.causal != 0, stream)
                                : attention_forward(
                                      tensor[kQ], tensor[kK], tensor[kV], tensor[kO], tensor[kLSE],
                                      shape, call.softmax_scale, call.causal != 0, stream);
  end_metering();
  return error;
}

void describe(cudaError_t error, Result* result) {
  result->error = error;
  std::snprintf(result->error_name, sizeof(result->error_name), "%s", cudaGetErrorName(error));
  std::snprintf(result->error_text, sizeof(result->error_text), "%s", cudaGetErrorString(error));
#ifdef CPU_DEVICE
  std::snprintf(result->report, sizeof(result->report), "%s", cpuDeviceLastReport());
#endif
}

#ifdef CPU_DEVICE

void add(Accesses* sum, const cpuDeviceAccesses& more) {
  sum->requests += more.requests;
  sum->accesses += more.accesses;
  sum->bytes += more.bytes;
  sum->bytes_16 += more.bytes_16;
  sum->sectors += more.sectors;
  sum->wavefronts += more.wavefronts;
  sum->ideal_wavefronts += more.ideal_wavefronts;
}

void read_counters(const DeviceTensors& tensor, Counters* sum) {
  size_t launches = 0;
  const cpuDeviceLaunch* const launch = cpuDeviceLaunches(&launches);
  for (size_t n = 0; n < launches; ++n) {
    const cpuDeviceCounters& one = launch[n].counters;
    add(&sum->global_load, one.global_load);
    add(&sum->global_store, one.global_store);
    add(&sum->global_atomic, one.global_atomic);
    add(&sum->shared_load, one.shared_load);
    add(&sum->shared_store, one.shared_store);
    add(&sum->shared_atomic, one.shared_atomic);
    sum->barriers += one.barriers;
    sum->warp_syncs += one.warp_syncs;
    sum->shuffles += one.shuffles;
    sum->votes += one.votes;
    sum->exp_calls += one.exp_calls;
  }
  for (int t = 0; t < kTensors; ++t) {
    cpuDeviceCounters one{};
    if (tensor[t] == nullptr || cpuDeviceTraffic(tensor[t], &one) == 0) continue;
    add(&sum->tensor_load[t], one.global_load);
    add(&sum->tensor_store[t], one.global_store);
    add(&sum->tensor_atomic[t], one.global_atomic);
  }
}

const char* severity_name(cpuDeviceSeverity severity) {
  switch (severity) {
    case cpuDeviceError:
      return "error";
    case cpuDeviceWarning:
      return "warning";
    case cpuDeviceNote:
      return "note";
  }
  return "";
}

void report_findings(FindingCallback on_finding, void* user) {
  size_t count = 0;
  const cpuDeviceFinding* const found = cpuDeviceFindings(&count);
  for (size_t n = 0; n < count; ++n) {
    const cpuDeviceFinding& f = found[n];
    const Finding finding = {
        severity_name(f.severity),
        f.kind,
        f.place,
        f.other_place,
        f.kernel,
        f.thread,
        f.block,
        f.message,
        f.count};
    on_finding(user, &finding);
  }
  cpuDeviceClearFindings();
}

void run_on_cpu_device(const Call& call, Result* result, FindingCallback on_finding, void* user) {
  DeviceTensors tensor(call);
  cudaError_t error = tensor.prepare(result);
  if (error == cudaSuccess) {
    if (call.count) {
      cpuDeviceClearFindings();
      cpuDeviceClearCounters();
      cpuDeviceSetCounting(1);
    }
    error = launch(call, tensor, result);
    cpuDeviceSetCounting(0);
    if (call.count) read_counters(tensor, &result->counters);
  }
  if (error == cudaSuccess) error = cudaDeviceSynchronize();
  if (error == cudaSuccess) error = tensor.read_back();
  describe(error, result);
  if (call.count) report_findings(on_finding, user);
  cudaGetLastError();
  if (cudaDeviceSynchronize() == cudaSuccess) return;
  cudaDeviceReset();  // a kernel has faulted, and every later call would fail
  tensor.forget();
  forget_allocations();
}

#else

void run_on_gpu(const Call& call, Result* result) {
  DeviceTensors tensor(call);
  cudaError_t error = tensor.prepare(result);
  if (error == cudaSuccess) error = launch(call, tensor, result);
  describe(error, result);
  if (error != cudaSuccess) cudaGetLastError();
}

// Makes a GPU the current one, and the one before it again.
class CurrentGpu {
 public:
  explicit CurrentGpu(int gpu) {
    if (cudaGetDevice(&before_) != cudaSuccess) before_ = gpu;
    error_ = cudaSetDevice(gpu);
  }
  ~CurrentGpu() { cudaSetDevice(before_); }
  CurrentGpu(const CurrentGpu&) = delete;
  CurrentGpu& operator=(const CurrentGpu&) = delete;
  cudaError_t error() const { return error_; }

 private:
  int before_ = 0;
  cudaError_t error_ = cudaSuccess;
};

#endif

}  // namespace
}  // namespace flash_lessons

using namespace flash_lessons;

extern "C" {

int flash_lessons_call_version() { return kCallVersion; }

int flash_lessons_functions() {
  return (attention_forward != nullptr ? 1 : 0) | (attention_backward != nullptr ? 2 : 0);
}

#ifdef CPU_DEVICE

int flash_lessons_is_gpu() { return 0; }
std::uint64_t flash_lessons_static_bytes() { return cpuDeviceStaticBytes(); }
void flash_lessons_run(const Call* call, Result* result, FindingCallback on_finding, void* user) {
  *result = Result{};
  run_on_cpu_device(*call, result, on_finding, user);
}
void flash_lessons_interrupt(int on) { cpuDeviceInterrupt(on); }
void* flash_lessons_allocate(int, std::size_t) { return nullptr; }
void flash_lessons_free(int, void*) {}
int flash_lessons_wait(int, void*) { return cudaSuccess; }

#else

int flash_lessons_is_gpu() { return 1; }
std::uint64_t flash_lessons_static_bytes() { return registered_bytes(); }
void flash_lessons_run(const Call* call, Result* result, FindingCallback, void*) {
  *result = Result{};
  const CurrentGpu current(call->gpu);
  if (current.error() != cudaSuccess) return describe(current.error(), result);
  run_on_gpu(*call, result);
}
void flash_lessons_interrupt(int) {}
void* flash_lessons_allocate(int gpu, std::size_t bytes) {
  const CurrentGpu current(gpu);
  void* pointer = nullptr;
  return __real_cudaMalloc(&pointer, bytes) == cudaSuccess ? pointer : nullptr;
}
void flash_lessons_free(int gpu, void* pointer) {
  const CurrentGpu current(gpu);
  __real_cudaFree(pointer);
}
int flash_lessons_wait(int gpu, void* stream) {
  const CurrentGpu current(gpu);
  return cudaStreamSynchronize(static_cast<cudaStream_t>(stream));
}

#endif

}  // extern "C"
