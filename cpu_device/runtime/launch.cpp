// cudaLaunchKernel: checks a launch as a GPU would, then runs its blocks on the machine's cores.
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "block.h"
#include "checker.h"
#include "counters.h"
#include "cpu_device.h"
#include "cpu_device/kernel.h"
#include "cuda_runtime_api.h"
#include "device.h"
#include "errors.h"
#include "fault.h"
#include "memory.h"
#include "preemption.h"
#include "registry.h"

namespace cpu_device {
namespace {

constexpr int kMostThreads = 256;

int schedule_from_environment() {
  const char* const text = getenv("CPU_DEVICE_SCHEDULE");
  if (text == nullptr || *text == '\0' || strcmp(text, "forward") == 0) {
    return cpuDeviceScheduleForward;
  }
  if (strcmp(text, "reverse") == 0) return cpuDeviceScheduleReverse;
  if (strcmp(text, "random") == 0) return cpuDeviceScheduleRandom;
  fprintf(stderr, "cpu_device: CPU_DEVICE_SCHEDULE=%s: want forward, reverse or random\n", text);
  exit(2);
}

struct Settings {
  std::atomic<int> threads{0};
  std::atomic<int> schedule{schedule_from_environment()};
  std::atomic<uint64_t> seed{0};
  std::atomic<uint64_t> sample_first{0};
  std::atomic<uint64_t> sample_count{0};
};
Settings settings;
std::atomic<uint64_t> launches{0};

std::mutex last_report_mutex;
std::string last_report;

int default_threads() {
  if (const char* const text = getenv("CPU_DEVICE_THREADS")) {
    const int wanted = atoi(text);
    if (wanted >= 1 && wanted <= kMostThreads) return wanted;
    fprintf(stderr, "cpu_device: CPU_DEVICE_THREADS=%s: want 1 to %d\n", text, kMostThreads);
    exit(2);
  }
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::clamp(CPU_COUNT(&set), 1, kMostThreads);
}

// The blocks of one launch in the order in which they are handed out.
class BlockSequence {
 public:
  BlockSequence(uint64_t first, uint64_t count, int schedule, uint64_t seed)
      : first_(first), count_(count), schedule_(schedule) {
    if (schedule == cpuDeviceScheduleRandom && count > 1) {
      std::mt19937_64 generator(seed);
      offset_ = generator() % count;
      // A stride without a common factor visits every block once.
      do {
        stride_ = generator() % count;
      } while (std::gcd(stride_, count) != 1);
    }
  }
  uint64_t count() const { return count_; }
  uint64_t at(uint64_t turn) const {
    switch (schedule_) {
      case cpuDeviceScheduleReverse:
        return first_ + count_ - 1 - turn;
      case cpuDeviceScheduleRandom:
        return first_ + static_cast<uint64_t>(
                            (static_cast<unsigned __int128>(turn) * stride_ + offset_) % count_);
      default:
        return first_ + turn;
    }
  }

 private:
  uint64_t first_, count_;
  int schedule_;
  uint64_t stride_ = 1, offset_ = 0;
};

struct Job {
  Job(const Launch& l, const BlockSequence& b, uint64_t c) : launch(l), blocks(b), chunk(c) {}
  const Launch& launch;
  const BlockSequence& blocks;
  uint64_t chunk;
  std::atomic<uint64_t> next{0};
  std::atomic<bool> stop{false};
  std::mutex fault_mutex;
  Fault fault;
};

BlockRunner& own_runner() {
  thread_local std::unique_ptr<BlockRunner> runner = std::make_unique<BlockRunner>();
  return *runner;
}

uint3 block_index(const dim3& grid, uint64_t linear) {
  const uint64_t plane = uint64_t{grid.x} * grid.y;
  return {
      static_cast<unsigned>(linear % grid.x), static_cast<unsigned>(linear % plane / grid.x),
      static_cast<unsigned>(linear / plane)};
}

// Takes blocks until none is left or one has failed.
void work(Job& job) {
  use_alternate_signal_stack();
  BlockRunner& runner = own_runner();
  const PreemptionScope preemptible(runner, job.stop);
  while (!job.stop.load(std::memory_order_relaxed)) {
    const uint64_t begin = job.next.fetch_add(job.chunk);
    if (begin >= job.blocks.count()) return;
    const uint64_t end = std::min(begin + job.chunk, job.blocks.count());
    for (uint64_t turn = begin; turn < end; ++turn) {
      Fault fault;
      if (runner.run(job.launch, block_index(job.launch.grid, job.blocks.at(turn)), &fault)) {
        continue;
      }
      job.stop = true;
      const std::lock_guard lock(job.fault_mutex);
      if (job.fault.error == cudaSuccess) job.fault = fault;
      return;
    }
  }
}

// Threads that wait for launches. Never destroyed: at the end of the program they sleep.
class WorkerPool {
 public:
  // Runs work(job) on the calling thread and on up to `helpers` others; returns when all are done.
  void run(Job& job, unsigned helpers) {
    if (helpers > 0) {
      const std::lock_guard lock(mutex_);
      while (size_ < helpers) {
        std::thread([this, index = size_] { serve(index); }).detach();
        ++size_;
      }
      job_ = &job;
      wanted_ = helpers;
      running_ = helpers;
      ++generation_;
      wake_.notify_all();
    }
    work(job);
    if (helpers > 0) {
      std::unique_lock lock(mutex_);
      done_.wait(lock, [this] { return running_ == 0; });
      job_ = nullptr;
    }
  }

 private:
  void serve(unsigned index) {
    uint64_t seen = 0;
    for (;;) {
      Job* job;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_ != seen && index < wanted_ && job_ != nullptr; });
        seen = generation_;
        job = job_;
      }
      work(*job);
      const std::lock_guard lock(mutex_);
      if (--running_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  unsigned size_ = 0, wanted_ = 0, running_ = 0;
  uint64_t generation_ = 0;
  Job* job_ = nullptr;
};

// Who runs first inside a block: warps in the schedule's order, lanes upwards except in reverse.
std::vector<uint16_t> thread_order(unsigned threads, int schedule, uint64_t seed) {
  std::vector<uint16_t> order(threads);
  std::iota(order.begin(), order.end(), uint16_t{0});
  if (schedule == cpuDeviceScheduleReverse) std::reverse(order.begin(), order.end());
  if (schedule == cpuDeviceScheduleRandom) {
    std::vector<unsigned> warps((threads + kWarpSize - 1) / kWarpSize);
    std::iota(warps.begin(), warps.end(), 0u);
    std::shuffle(warps.begin(), warps.end(), std::mt19937_64(seed));
    order.clear();
    for (const unsigned warp : warps) {
      for (unsigned id = warp * kWarpSize; id < std::min(threads, (warp + 1) * kWarpSize); ++id) {
        order.push_back(static_cast<uint16_t>(id));
      }
    }
  }
  return order;
}

std::vector<uint3> thread_ids(const dim3& block, const std::vector<uint16_t>& order) {
  std::vector<uint3> ids;
  ids.reserve(order.size());
  for (const unsigned linear : order) {
    ids.push_back({linear % block.x, linear / block.x % block.y, linear / block.x / block.y});
  }
  return ids;
}

cudaError_t check_launch(
    const KernelInfo& kernel, const dim3& grid, const dim3& block, size_t shared_bytes) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > kMaxGridX || grid.y > kMaxGridYZ ||
      grid.z > kMaxGridYZ) {
    return cudaErrorInvalidConfiguration;
  }
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || block.x > kMaxThreadsPerBlock || block.y > kMaxThreadsPerBlock ||
      block.z > kMaxBlockZ || threads > kMaxThreadsPerBlock) {
    return cudaErrorInvalidConfiguration;
  }
  if (threads > kernel.max_threads) return cudaErrorInvalidValue;
  if (kernel.static_shared > profile().shared_per_block ||
      shared_bytes > static_cast<size_t>(kernel.max_dynamic_shared)) {
    return cudaErrorInvalidValue;
  }
  return cudaSuccess;
}

void count_launch(
    const KernelInfo& kernel, const dim3& grid, const dim3& block, size_t shared_bytes) {
  Counters::instance().begin_launch(
      {kernel.name.c_str(),
       {grid.x, grid.y, grid.z},
       {block.x, block.y, block.z},
       kernel.static_shared,
       shared_bytes,
       1,
       device_bytes_in_use(),
       {}},
      reinterpret_cast<uintptr_t>(kernel.func));
}

void remember_report(const Fault& fault) {
  const std::lock_guard lock(last_report_mutex);
  last_report = fault.text;
}

cudaError_t launch_kernel(
    const void* func, const dim3& grid, const dim3& block, void** args, size_t shared_bytes) {
  if (BlockRunner* const runner = BlockRunner::current()) {
    runner->fail(cudaErrorNotSupported, "a kernel launched a kernel: not supported here", "");
  }
  if (const cudaError_t error = sticky_error()) return error;
  KernelInfo* const kernel = find_kernel(func);
  if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
  if (const cudaError_t error = check_launch(*kernel, grid, block, shared_bytes)) return error;

  refuse_work_after_fork();
  // One launch at a time: a host thread that launches meanwhile waits, as it would for a stream.
  static std::mutex& device = *new std::mutex;
  static WorkerPool& pool = *new WorkerPool;
  const std::lock_guard lock(device);
  install_fault_handlers();
  const uint64_t seed = settings.seed + launches.fetch_add(1);
  const int schedule = settings.schedule;
  const unsigned threads = block.x * block.y * block.z;
  Launch launch{kernel, args, grid, block, shared_bytes, threads, {}, {}};
  launch.order = thread_order(threads, schedule, seed);
  launch.thread_ids = thread_ids(block, launch.order);

  uint64_t first = 0;
  uint64_t count = uint64_t{grid.x} * grid.y * grid.z;
  if (const uint64_t sample = settings.sample_count) {
    first = std::min<uint64_t>(settings.sample_first, count);
    count = std::min(sample, count - first);
  }
  const BlockSequence blocks(first, count, schedule, seed);
  const auto workers = static_cast<uint64_t>(cpuDeviceSetThreads(0));
  Job job(launch, blocks, std::clamp<uint64_t>(count / (workers * 8), 1, 64));
  // A checked program runs its blocks one after another, in the schedule's order.
  const uint64_t helpers = count == 0 || Checker::enabled() ? 0 : std::min(workers, count) - 1;
  if (Checker::enabled()) {
    Checker::instance().begin_launch(shared_bytes, threads);
    count_launch(*kernel, grid, block, shared_bytes);
  }
  job.stop = launches_interrupted();
  pool.run(job, static_cast<unsigned>(helpers));
  if (job.stop && job.fault.error == cudaSuccess) {
    job.fault = {cudaErrorLaunchTimeout, "the launch was interrupted\n"};
  }
  if (Checker::enabled()) {
    Counters::instance().end_launch();
    Checker::instance().end_launch();
  }
  if (job.fault.error != cudaSuccess) {
    fprintf(stderr, "cpu_device: %s", job.fault.text.c_str());
    set_sticky_error(job.fault.error);
  }
  remember_report(job.fault);
  return job.fault.error;
}

}  // namespace
}  // namespace cpu_device

using cpu_device::settings;

extern "C" {

cudaError_t cudaLaunchKernel(
    const void* func, dim3 grid, dim3 block, void** args, size_t shared_bytes, cudaStream_t) {
  const cudaError_t error = cpu_device::launch_kernel(func, grid, block, args, shared_bytes);
  if (error != cudaSuccess && cpu_device::sticky_error() == cudaSuccess &&
      cpu_device::Checker::enabled()) {
    int line = 0;
    const char* const file = cpuDeviceLaunchSite(&line);
    cpu_device::Checker::instance().launch_failed(cudaGetErrorName(error), file, line);
  }
  return cpu_device::report(error);
}

cudaError_t cudaLaunchKernelExC(
    const struct cudaLaunchConfig_t* config, const void* func, void** args) {
  if (config == nullptr) return cpu_device::report(cudaErrorInvalidValue);
  return cpu_device::report(cpu_device::launch_kernel(
      func, config->gridDim, config->blockDim, args, config->dynamicSmemBytes));
}

int cpuDeviceSetThreads(int n) {
  if (n > 0) settings.threads = std::min(n, cpu_device::kMostThreads);
  int threads = settings.threads;
  if (threads == 0) {
    threads = cpu_device::default_threads();
    settings.threads = threads;
  }
  return threads;
}

void cpuDeviceSetSchedule(enum cpuDeviceSchedule kind, unsigned long long seed) {
  settings.schedule = kind;
  settings.seed = seed;
}

void cpuDeviceSetBlockSample(unsigned long long first, unsigned long long count) {
  settings.sample_first = first;
  settings.sample_count = count;
}

void cpuDeviceInterrupt(int on) { cpu_device::interrupt_launches(on != 0); }

unsigned long long cpuDeviceLaunchCount(void) { return cpu_device::launches; }

const char* cpuDeviceLastReport(void) {
  const std::lock_guard lock(cpu_device::last_report_mutex);
  return cpu_device::last_report.c_str();
}

long long cpuDeviceClock(void) {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ll + now.tv_nsec;
}

}  // extern "C"
