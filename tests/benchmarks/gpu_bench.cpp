#include "gpu_bench.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <new>
#include <thread>

#include "runner/meter.h"
#include "runner/protocol.h"
#include "sampled_reference.h"

namespace {

using runner::Bypass;
using runner::Meter;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kFiller = 0xffffffff;
constexpr auto kTickEvery = std::chrono::milliseconds(50);

struct State {
  cudaStream_t stream = nullptr;
  cudaEvent_t start = nullptr, stop = nullptr;
  void* flush = nullptr;
  std::uint64_t flush_bytes = 0;
  int flushes = 1;
  std::uint64_t held_before = 0;
};

State& state() {
  static State* const all = new State;  // never destroyed: the driver may be gone before
  return *all;
}

bench::Read reader(const GpuBenchTensors& tensors) {
  return [tensors](int tensor, std::int64_t first, std::int64_t count, float* to) {
    const Bypass own;
    if (count == 0) return true;
    const float* const from = tensors.tensor[tensor];
    return from != nullptr &&
           cudaMemcpy(to, from + first, count * sizeof(float), cudaMemcpyDeviceToHost) ==
               cudaSuccess;
  };
}

// Waits for the stop event without keeping Python from seeing a signal.
int wait(GpuBenchTick tick, double limit_s) {
  const Clock::time_point begun = Clock::now();
  Clock::time_point next_tick = begun + kTickEvery;
  while (true) {
    const cudaError_t status = cudaEventQuery(state().stop);
    if (status != cudaErrorNotReady) return status;
    const Clock::time_point now = Clock::now();
    if (now - begun > std::chrono::duration<double>(limit_s)) return kGpuBenchTooLong;
    if (now > next_tick) {
      if (tick() != 0) return kGpuBenchStopped;
      next_tick = now + kTickEvery;
    }
    if (now - begun > std::chrono::milliseconds(1))
      std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

int time_one(int run, GpuBenchCall call, GpuBenchTick tick, double limit_s, float* ms) {
  State& s = state();
  if (tick() != 0) return kGpuBenchStopped;
  {
    const Bypass own;
    cudaError_t status = cudaSuccess;
    for (int n = 0; n < s.flushes && status == cudaSuccess; ++n)
      status = cudaMemsetAsync(s.flush, run & 0xff, s.flush_bytes, s.stream);
    if (status == cudaSuccess) status = cudaEventRecord(s.start, s.stream);
    if (status != cudaSuccess) return status;
  }
  if (call(run) != 0) return kGpuBenchStopped;
  const Bypass own;
  const cudaError_t recorded = cudaEventRecord(s.stop, s.stream);
  if (recorded != cudaSuccess) return recorded;
  const int waited = wait(tick, limit_s);
  if (waited != 0) return waited;
  return cudaEventElapsedTime(ms, s.start, s.stop);
}

}  // namespace

extern "C" {

const char* gpu_bench_error_name(int error) {
  return cudaGetErrorName(static_cast<cudaError_t>(error));
}

int gpu_bench_open(int device, std::uint64_t flush_bytes, int flushes, GpuBenchDevice* result) {
  const Bypass own;
  State& s = state();
  *result = {};
  cudaDeviceProp properties;
  cudaError_t status = cudaSetDevice(device);
  if (status == cudaSuccess) status = cudaGetDeviceProperties(&properties, device);
  if (status != cudaSuccess) return status;
  std::snprintf(result->name, sizeof(result->name), "%s", properties.name);
  cudaDriverGetVersion(&result->driver);
  cudaRuntimeGetVersion(&result->runtime);
  result->major = properties.major;
  result->minor = properties.minor;
  result->multiprocessors = properties.multiProcessorCount;
  result->l2_bytes = properties.l2CacheSize;
  result->memory_bytes = properties.totalGlobalMem;
#ifndef CPU_DEVICE
  result->pci_domain = properties.pciDomainID;
  result->pci_bus = properties.pciBusID;
  result->pci_device = properties.pciDeviceID;
#endif

  // Not the default stream: work on it would wait for other streams.
  status = cudaStreamCreateWithFlags(&s.stream, cudaStreamNonBlocking);
  if (status == cudaSuccess) status = cudaEventCreate(&s.start);
  if (status == cudaSuccess) status = cudaEventCreate(&s.stop);
  s.flush_bytes = std::max<std::uint64_t>(flush_bytes, 2 * std::uint64_t(properties.l2CacheSize));
  s.flushes = flushes;
  if (status == cudaSuccess) status = cudaMalloc(&s.flush, s.flush_bytes);
#ifndef CPU_DEVICE
  // The pool keeps what launchers free, as PyTorch's allocator does: else every call would map its scratch anew.
  cudaMemPool_t pool;
  std::uint64_t threshold = ~std::uint64_t{0};
  if (status == cudaSuccess) status = cudaDeviceGetDefaultMemPool(&pool, device);
  if (status == cudaSuccess)
    status = cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold);
#endif
  return status;
}

void* gpu_bench_stream() { return state().stream; }

int gpu_bench_synchronize() {
  const Bypass own;
  const cudaError_t last = cudaGetLastError();
  const cudaError_t synced = cudaDeviceSynchronize();
  return synced != cudaSuccess ? synced : last;
}

int gpu_bench_free_bytes(std::uint64_t* result) {
  const Bypass own;
  std::size_t available = 0, total = 0;
  const cudaError_t status = cudaMemGetInfo(&available, &total);
  *result = available;
  return status;
}

void* gpu_bench_allocate(std::uint64_t bytes) {
  const Bypass own;
  void* pointer = nullptr;
  if (cudaMalloc(&pointer, bytes) == cudaSuccess) return pointer;
  cudaGetLastError();
  return nullptr;
}

int gpu_bench_free(void* pointer) {
  const Bypass own;
  return cudaFree(pointer);
}

int gpu_bench_set_bytes(void* pointer, int value, std::uint64_t bytes) {
  const Bypass own;
  return cudaMemsetAsync(pointer, value, bytes, state().stream);
}

int gpu_bench_read(void* to, const void* from, std::uint64_t bytes) {
  const Bypass own;
  return cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost);
}

int gpu_bench_trim() {
  const Bypass own;
  cudaError_t status = cudaDeviceSynchronize();
#ifndef CPU_DEVICE
  int device = 0;
  cudaMemPool_t pool;
  if (status == cudaSuccess) status = cudaGetDevice(&device);
  if (status == cudaSuccess) status = cudaDeviceGetDefaultMemPool(&pool, device);
  if (status == cudaSuccess) status = cudaMemPoolTrimTo(pool, 0);
#endif
  return status;
}

void gpu_bench_meter_begin() {
  Meter& meter = Meter::instance();
  state().held_before = meter.held_bytes();
  meter.begin_call(state().stream, false, false);
}

void gpu_bench_meter_end(GpuBenchMemory* result) {
  Meter& meter = Meter::instance();
  const runner::CallCounts counts = meter.end_call();
  const std::uint64_t before = state().held_before;
  result->peak_bytes = counts.peak_bytes - before;
  result->kept_bytes = std::max(meter.held_bytes(), before) - before;
  result->refused_bytes = counts.failed_bytes;
}

int gpu_bench_time(int runs, GpuBenchCall call, GpuBenchTick tick, double limit_s, float* ms) {
  for (int run = 0; run < runs; ++run) {
    const int status = time_one(run, call, tick, limit_s, ms + run);
    if (status != 0) return status;
  }
  return 0;
}

void* gpu_bench_reference(GpuBenchShape shape, std::uint64_t seed, const GpuBenchTensors* tensors) {
  judge::Case c;
  c.batch = shape.batch;
  c.heads = shape.num_heads;
  c.N_q = c.N_k = shape.seq_len;
  c.d = shape.head_dim;
  c.causal = shape.causal != 0;
  auto* const reference = new bench::SampledReference(c, seed);
  if (reference->compute_forward(reader(*tensors))) return reference;
  delete reference;
  return nullptr;
}

int gpu_bench_reference_gradients(void* reference, const GpuBenchTensors* tensors) {
  const bool computed =
      static_cast<bench::SampledReference*>(reference)->compute_gradients(reader(*tensors));
  return computed ? cudaSuccess : cudaErrorInvalidValue;
}

void gpu_bench_reference_rows(void* reference, std::int64_t* queries, std::int64_t* keys) {
  const auto* const all = static_cast<const bench::SampledReference*>(reference);
  *queries = all->sampled_queries();
  *keys = all->sampled_keys();
}

void gpu_bench_compare(
    void* reference, int tensor, const GpuBenchTensors* tensors, GpuBenchOutcome* result) {
  const bench::Outcome outcome = static_cast<const bench::SampledReference*>(reference)->compare(
      tensor, kFiller, reader(*tensors));
  *result = {outcome.elements, outcome.wrong,     outcome.not_finite, outcome.never_written,
             outcome.worst,    outcome.row,       outcome.k,          outcome.got,
             outcome.expected, outcome.accepted()};
}

void gpu_bench_reference_free(void* reference) {
  delete static_cast<bench::SampledReference*>(reference);
}

float gpu_bench_softmax_scale(int head_dim) {
  judge::Case c;
  c.d = head_dim;
  return c.softmax_scale();
}

}  // extern "C"
