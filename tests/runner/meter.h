// Counts what the student's library allocates, frees and launches.
//
// The interposed CUDA functions report here. The runner's own calls are made under a Bypass and are neither
// counted nor altered; so is everything that a CUDA function calls on its way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace runner {

// While one exists, CUDA calls of this thread go straight to the device.
class Bypass {
 public:
  Bypass() { ++depth_; }
  ~Bypass() { --depth_; }
  Bypass(const Bypass&) = delete;
  Bypass& operator=(const Bypass&) = delete;
  static bool active() { return depth_ > 0; }

 private:
  static thread_local int depth_;
};

struct LaunchShape {
  std::uint32_t grid[3] = {};
  std::uint32_t block[3] = {};
  std::uint64_t shared_bytes = 0;
};

// What the library did during one call of the launcher.
struct CallCounts {
  std::uint64_t launches = 0;
  std::uint64_t launches_elsewhere = 0;
  std::uint64_t fills_elsewhere = 0;
  int launch_failed = 0;
  std::uint64_t device_syncs = 0;
  bool unjoined = false;
  std::uint64_t stream_waits = 0;
  std::uint64_t grid_blocks = 0;
  LaunchShape shape;  // of the first launch that failed, else of the last one
  std::uint64_t sampled_first = 0;
  std::uint64_t sampled_count = 0;
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
  std::uint64_t peak_bytes = 0;
  std::uint64_t failed_bytes = 0;
};

class Meter {
 public:
  static Meter& instance();

  // Brackets a call of the launcher on the given stream.
  void begin_call(const void* stream, bool dry_run, bool sample_blocks);
  CallCounts end_call();

  bool dry_run() const { return dry_run_; }
  bool sample_blocks() const { return sample_blocks_; }

  void allocated(void* pointer, std::uint64_t bytes);
  void allocation_failed(std::uint64_t bytes);
  // Forgets a pointer. True if it came from reserve(), so that there is nothing to free.
  bool freed(void* pointer);

  // Address space for a dry run: never backed by memory, readable and writable only if for_host. Null if it
  // cannot be had.
  void* reserve(std::uint64_t bytes, bool for_host);

  // Notes a launch before it happens.
  void launching(const LaunchShape& shape, const void* stream);
  void launched(int error);
  void sampled(std::uint64_t first, std::uint64_t count);
  // Notes a fill, or a copy that nobody waits for.
  void filling(const void* stream);
  void device_synced();
  // Notes that a stream waits for an event, that the host waits for a stream, or for an event.
  void stream_waits(const void* stream);
  void host_waits(const void* stream);
  void host_waits_for_event();
  void static_variable(std::uint64_t bytes);

  std::uint64_t held_bytes();
  std::uint64_t static_bytes();

 private:
  struct Allocation {
    std::uint64_t bytes;
    bool reserved;
  };

  std::mutex mutex_;
  std::unordered_map<void*, Allocation> allocations_;
  std::unordered_map<void*, std::uint64_t> reserved_;  // ranges of reserve(), for freed()
  std::uint64_t held_bytes_ = 0;
  std::uint64_t static_bytes_ = 0;
  CallCounts counts_;
  const void* stream_ = nullptr;
  bool dry_run_ = false;
  bool sample_blocks_ = false;
};

}  // namespace runner
