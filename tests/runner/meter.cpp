#include "meter.h"

#include <sys/mman.h>

#include <algorithm>

namespace runner {

thread_local int Bypass::depth_ = 0;

Meter& Meter::instance() {
  static Meter* const meter = new Meter;  // never destroyed: libraries free memory late
  return *meter;
}

void Meter::begin_call(const void* stream, bool dry_run, bool sample_blocks) {
  const std::lock_guard lock(mutex_);
  counts_ = CallCounts{};
  counts_.peak_bytes = held_bytes_;
  stream_ = stream;
  dry_run_ = dry_run;
  sample_blocks_ = sample_blocks;
}

CallCounts Meter::end_call() {
  const std::lock_guard lock(mutex_);
  dry_run_ = false;
  sample_blocks_ = false;
  return counts_;
}

void Meter::allocated(void* pointer, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  ++counts_.allocations;
  if (pointer == nullptr) return;
  allocations_[pointer] = {bytes, reserved_.contains(pointer)};
  held_bytes_ += bytes;
  counts_.peak_bytes = std::max(counts_.peak_bytes, held_bytes_);
}

void Meter::allocation_failed(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (counts_.failed_bytes == 0) counts_.failed_bytes = bytes;
}

bool Meter::freed(void* pointer) {
  const std::lock_guard lock(mutex_);
  const auto found = allocations_.find(pointer);
  if (found == allocations_.end()) return false;
  ++counts_.frees;
  held_bytes_ -= found->second.bytes;
  const bool was_reserved = found->second.reserved;
  allocations_.erase(found);
  if (was_reserved) {
    munmap(pointer, reserved_.at(pointer));
    reserved_.erase(pointer);
  }
  return was_reserved;
}

void* Meter::reserve(std::uint64_t bytes, bool for_host) {
  if (bytes > std::uint64_t{1} << 46) return nullptr;  // more than a process can address
  const std::uint64_t length = std::max<std::uint64_t>(bytes, 1);
  void* const range = mmap(
      nullptr, length, for_host ? PROT_READ | PROT_WRITE : PROT_NONE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) return nullptr;
  const std::lock_guard lock(mutex_);
  reserved_[range] = length;
  return range;
}

void Meter::launching(const LaunchShape& shape, const void* stream) {
  const std::lock_guard lock(mutex_);
  ++counts_.launches;
  if (stream != stream_) {
    ++counts_.launches_elsewhere;
    counts_.unjoined = true;
  }
  counts_.grid_blocks =
      std::max(counts_.grid_blocks, std::uint64_t{shape.grid[0]} * shape.grid[1] * shape.grid[2]);
  if (counts_.launch_failed == 0) counts_.shape = shape;
}

void Meter::launched(int error) {
  const std::lock_guard lock(mutex_);
  if (counts_.launch_failed == 0) counts_.launch_failed = error;
}

void Meter::sampled(std::uint64_t first, std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  // Of several launches, the one with the fewest.
  if (counts_.launches > 1 && counts_.sampled_count < count) return;
  counts_.sampled_first = first;
  counts_.sampled_count = count;
}

void Meter::filling(const void* stream) {
  const std::lock_guard lock(mutex_);
  if (stream != stream_) {
    ++counts_.fills_elsewhere;
    counts_.unjoined = true;
  }
}

void Meter::device_synced() {
  const std::lock_guard lock(mutex_);
  ++counts_.device_syncs;
  counts_.unjoined = false;
}

void Meter::stream_waits(const void* stream) {
  const std::lock_guard lock(mutex_);
  ++counts_.stream_waits;
  if (stream == stream_) counts_.unjoined = false;
}

void Meter::host_waits(const void* stream) {
  const std::lock_guard lock(mutex_);
  ++counts_.stream_waits;
  if (stream != stream_) counts_.unjoined = false;
}

void Meter::host_waits_for_event() {
  const std::lock_guard lock(mutex_);
  ++counts_.stream_waits;
  counts_.unjoined = false;
}

void Meter::static_variable(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  static_bytes_ += bytes;
}

std::uint64_t Meter::held_bytes() {
  const std::lock_guard lock(mutex_);
  return held_bytes_;
}

std::uint64_t Meter::static_bytes() {
  const std::lock_guard lock(mutex_);
  return static_bytes_;
}

}  // namespace runner
