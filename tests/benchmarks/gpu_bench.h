// What scripts/bench --device cuda calls through Python's ctypes: memory, time and correctness of attention kernels.
//
// One process works on one device and on one stream of its own. Functions that return int return a cudaError_t, 0 for
// success. The library has to be loaded with RTLD_GLOBAL and before any other library that calls CUDA: then it answers
// the allocation calls of the kernel libraries, and counts them.
#pragma once

#include <cstdint>

extern "C" {

struct GpuBenchDevice {
  char name[256];
  std::int32_t driver, runtime;  // versions, 13000 for 13.0
  std::int32_t major, minor;     // of the compute capability
  std::int32_t multiprocessors;
  std::int32_t l2_bytes;
  std::uint64_t memory_bytes;
  std::int32_t pci_domain, pci_bus, pci_device;
};

struct GpuBenchMemory {
  std::uint64_t peak_bytes;     // allocated between begin and end, beside what was held before
  std::uint64_t kept_bytes;     // of these, not freed
  std::uint64_t refused_bytes;  // the first request that was refused, 0 for none
};

struct GpuBenchShape {
  std::int32_t batch, num_heads, seq_len, head_dim, causal;
};

// Device pointers in the order of protocol::Tensor up to dV; null where there is none.
struct GpuBenchTensors {
  float* tensor[9];
};

struct GpuBenchOutcome {
  std::int64_t elements, wrong, not_finite, never_written;
  double worst;      // error / bound
  std::int64_t row;  // of the first element that is not right, else of the worst
  std::int32_t k;
  float got;
  double expected;
  std::int32_t accepted;
};

const char* gpu_bench_error_name(int error);
// Before a run, at least flush_bytes and twice the L2 cache are overwritten, `flushes` times.
int gpu_bench_open(int device, std::uint64_t flush_bytes, int flushes, GpuBenchDevice* result);
void* gpu_bench_stream();
int gpu_bench_synchronize();
int gpu_bench_free_bytes(std::uint64_t* result);

// Device memory of the benchmark itself, which is not counted. Null if there is not enough.
void* gpu_bench_allocate(std::uint64_t bytes);
int gpu_bench_free(void* pointer);
// 0xff makes floats NaN.
int gpu_bench_set_bytes(void* pointer, int value, std::uint64_t bytes);
int gpu_bench_read(void* to, const void* from, std::uint64_t bytes);
// Gives back what the stream's memory pool holds, so that others can have it.
int gpu_bench_trim();

void gpu_bench_meter_begin();
void gpu_bench_meter_end(GpuBenchMemory* result);

// One piece of work on the stream, by number of the run; not 0 stops the runs. `tick` is called before each run and
// some times per second while one lasts.
using GpuBenchCall = int (*)(int run);
using GpuBenchTick = int (*)();
inline constexpr int kGpuBenchStopped = -1;
inline constexpr int kGpuBenchTooLong = -2;

// Times runs one by one: overwrites the L2 cache, records an event, calls, records an event. Returns a cudaError_t,
// kGpuBenchStopped if `call` or `tick` did not return 0, or kGpuBenchTooLong if a run took longer than limit_s; work
// may then still be under way.
int gpu_bench_time(int runs, GpuBenchCall call, GpuBenchTick tick, double limit_s, float* ms);

// The right answers at sampled rows (sampled_reference.h). The reference reads Q, K, V and dO, and O and LSE of a forward
// pass, from the device. Null if they cannot be read.
void* gpu_bench_reference(GpuBenchShape shape, std::uint64_t seed, const GpuBenchTensors* tensors);
int gpu_bench_reference_gradients(void* reference, const GpuBenchTensors* tensors);
void gpu_bench_reference_rows(void* reference, std::int64_t* queries, std::int64_t* keys);
// Compares one output; what it held before is 0xffffffff.
void gpu_bench_compare(
    void* reference, int tensor, const GpuBenchTensors* tensors, GpuBenchOutcome* result);
void gpu_bench_reference_free(void* reference);

float gpu_bench_softmax_scale(int head_dim);

}  // extern "C"
