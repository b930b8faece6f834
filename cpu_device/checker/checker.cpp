#include "checker.h"

#include <string.h>
#include <sys/mman.h>

#include <algorithm>

#include "block.h"
#include "counters.h"
#include "counters_report.h"
#include "errors.h"
#include "fault.h"
#include "memory.h"
#include "regions.h"

namespace cpu_device {
namespace {

bool checking = false;

}  // namespace

thread_local FastPath* fast_path = nullptr;

bool Checker::enabled() { return checking; }
void Checker::enable() { checking = true; }

Checker& Checker::instance() {
  static Checker& checker = *new Checker;
  return checker;
}

// ---- host side ----

void Checker::allocated(uintptr_t begin, size_t size, bool filled, uintptr_t code) {
  auto region = std::make_unique<Region>();
  region->begin = begin;
  region->size = size;
  region->words = map_words(begin, size);
  region->initialised = filled;
  region->allocated_at = code;
  if (regions_ == nullptr) {
    const size_t table = device_range().size / kGranule * sizeof(Region*);
    void* const memory = mmap(
        nullptr, table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    regions_ = static_cast<Region**>(memory);
    for (uint32_t*& tags : fast_path_.device_tags) tags = map_tags(device_range().size);
    if (fast_path_.device_tags[0] != nullptr && fast_path_.device_tags[1] != nullptr) {
      fast_path_.device_begin = device_range().begin;
      fast_path_.device_size = device_range().size;
    }
  }
  const uintptr_t base = device_range().begin;
  for (size_t i = (begin - base) / kGranule; i <= (begin + size - 1 - base) / kGranule; ++i) {
    regions_[i] = region.get();
  }
  all_regions_.push_back(std::move(region));
}

void Checker::freed(uintptr_t begin) {
  Region* const region = region_at(begin);
  if (region == nullptr || region->begin != begin || region->freed) return;
  region->freed = true;
  unmap_words(region->words, region->begin, region->size);
  region->words = nullptr;
}

void Checker::clear_traffic() {
  for (const auto& region : all_regions_) region->traffic = {};
  for (const auto& region : variables_) region->traffic = {};
}

void Checker::all_freed() {
  for (const auto& region : all_regions_) {
    if (!region->freed) freed(region->begin);
  }
}

void Checker::invalid_free(uintptr_t address, uintptr_t code) {
  const Place place{code, nullptr, 0};
  if (!count_finding(Severity::kError, "invalid-free", place, {})) return;
  const Region* const region = region_at(address);
  const bool before = region != nullptr && region->begin == address && region->freed;
  describe_finding(
      {Severity::kError,
       "invalid-free",
       place,
       {},
       "",
       "",
       "",
       before ? "memory is freed a second time"
              : "a pointer is freed that no allocation returned"});
}

void Checker::written_by_host(uintptr_t address, size_t size) {
  if (!in_device_range(address) || size == 0) return;
  Region* const region = region_at(address);
  if (region == nullptr || region->words == nullptr || !region->contains(address, size)) return;
  for (uintptr_t at = address; at < address + size;) {
    const uintptr_t next = std::min((at & ~uintptr_t{3}) + 4, address + size);
    region->word(at).initialised |= static_cast<uint8_t>(((1u << (next - at)) - 1) << (at & 3));
    at = next;
  }
}

bool Checker::mark_read_only(uintptr_t address, size_t size) {
  if (!in_device_range(address)) return false;
  Region* const region = region_at(address);
  if (region == nullptr || !region->contains(address, size)) return false;
  region->read_only_begin = address;
  region->read_only_end = address + size;
  return true;
}

void Checker::host_access(uintptr_t address, uintptr_t code) {
  if (regions_ == nullptr || !in_device_range(address)) return;
  const auto allocation = find_allocation(reinterpret_cast<const void*>(address));
  if (allocation && allocation->kind != MemoryKind::kDevice) return;
  const Place place{code, nullptr, 0};
  if (!count_finding(Severity::kError, "device-pointer-in-host", place, {})) return;
  describe_finding(
      {Severity::kError,
       "device-pointer-in-host",
       place,
       {},
       "",
       "",
       "",
       "host code uses device memory; copy it with cudaMemcpy"});
}

void Checker::launch_failed(const char* error, const char* file, int line) {
  report_unseen_error();
  unseen_error_ = {error, file, line};
}

void Checker::report_unseen_error() {
  if (unseen_error_.name.empty()) return;
  const Place place{0, unseen_error_.file, unseen_error_.line};
  if (count_finding(Severity::kError, "launch-error", place, {})) {
    describe_finding(
        {Severity::kError,
         "launch-error",
         place,
         {},
         "",
         "",
         "",
         "the launch failed with " + unseen_error_.name +
             ", and nobody looked: the kernel never ran. Ask cudaGetLastError() after it"});
  }
  unseen_error_.clear();
}

// Decides what waited for the next event to show what it was.
void Checker::settle() {
  settle_pending_write();
  settle_bad_index("local-out-of-bounds");
}

void Checker::program_ends() {
  report_unseen_error();
  for (const auto& region : all_regions_) {
    if (region->freed || sticky_error() != cudaSuccess) continue;
    const Place place{region->allocated_at, nullptr, 0};
    if (count_finding(Severity::kError, "leak", place, {})) {
      describe_finding(
          {Severity::kError,
           "leak",
           place,
           {},
           "",
           "",
           "",
           bytes(region->size) + " are never freed"});
    }
  }
  report_counters();
  report_findings();
}

// ---- device side ----

void Checker::begin_launch(size_t dynamic_shared_bytes, unsigned threads) {
  report_unseen_error();
  launch_begin_ = ++interval_;
  releases_.clear();
  shared_.begin_launch(dynamic_shared_bytes);
  warps_ = (threads + kWarpSize - 1) / kWarpSize;
  if (fast_path_.shared_size == 0) {
    fast_path_.shared_begin = shared_.begin();
    fast_path_.shared_size = SharedArena::kBytes;
    for (uint32_t*& tags : fast_path_.shared_tags) tags = map_tags(SharedArena::kBytes);
    if (fast_path_.shared_tags[0] == nullptr || fast_path_.shared_tags[1] == nullptr) {
      fast_path_.shared_size = 0;
    }
  }
  // Variables may have been registered by a library that was loaded meanwhile.
  for (const DeviceVariable& variable : device_variables()) {
    const bool known = std::any_of(variables_.begin(), variables_.end(), [&](const auto& region) {
      return region->begin == variable.begin;
    });
    if (known) continue;
    auto region = std::make_unique<Region>();
    region->begin = variable.begin;
    region->size = variable.size;
    region->name = variable.name;
    region->words = map_words(region->begin, region->size);
    region->initialised = true;
    region->constant = variable.constant;
    variables_.push_back(std::move(region));
  }
}

void Checker::begin_block() {
  settle();
  begin_interval();
  block_begin_ = interval_;
  block_fenced_ = false;
  block_acquired_ = false;
  releases_.push_back({block_begin_, 0});
  shared_.poison();
  logs_ = Counters::instance().counting() ? Counters::instance().log_of(0) : nullptr;
  fast_path = &fast_path_;
}

void Checker::end_block() {
  fast_path = nullptr;
  fast_path_.log = nullptr;
  if (logs_ != nullptr) Counters::instance().block_together();
}

void Checker::begin_interval() {
  ++interval_;
  for (unsigned warp = 0; warp < warps_; ++warp) new_tags(warp);
  fast_path_.everyone = next_tag_++;
}

// Tags that nobody has had before, for a warp and its lanes.
void Checker::new_tags(unsigned warp) {
  constexpr uint32_t kLast = ~0u - 2 * (kWarpSize + 1);
  if (next_tag_ > kLast) {  // begins again, with no word tagged
    for (uint32_t* const tags : fast_path_.device_tags) clear_tags(tags, fast_path_.device_size);
    for (uint32_t* const tags : fast_path_.shared_tags) clear_tags(tags, fast_path_.shared_size);
    next_tag_ = 1;
    fast_path_.everyone = next_tag_++;
    for (unsigned other = 0; other < warps_; ++other) {
      first_tag_[other] = next_tag_;
      next_tag_ += kWarpSize + 1;
    }
  }
  first_tag_[warp] = next_tag_;
  next_tag_ += kWarpSize + 1;
}

void Checker::runs(unsigned thread) {
  thread_ = thread;
  fast_path_.warp = first_tag_[thread / kWarpSize];
  fast_path_.thread = fast_path_.warp + 1 + thread % kWarpSize;
  if (logs_ != nullptr) fast_path_.log = &logs_[thread];
}

void Checker::warp_synchronised(unsigned warp, unsigned running_thread) {
  ++warp_interval_[warp];
  new_tags(warp);
  runs(running_thread);
}

void Checker::barrier_passed(unsigned returned, const char* file, int line) {
  settle_pending_write();
  begin_interval();
  runs(thread_);
  if (logs_ != nullptr) {
    Counters::instance().block_together();
    Counters::instance().barrier(file, line);
  }
  if (returned == 0) return;
  const Place place{0, file, line};
  if (!count_finding(Severity::kWarning, "early-return", place, {})) return;
  describe_finding(
      {Severity::kWarning,
       "early-return",
       place,
       {},
       "",
       "",
       "",
       std::to_string(returned) +
           " threads of the block had returned when the others passed this barrier"});
}

void Checker::fence(const BlockRunner& runner) {
  fenced_[runner.linear_id()] = interval_;
  block_fenced_ = true;
}

void Checker::fault(
    const BlockRunner& runner, const char* kind, const char* file, int line,
    const std::string& message, Place other) {
  add(runner, Severity::kError, kind, {0, file, line}, other, message);
}

void Checker::add(
    const BlockRunner& runner, Severity severity, const char* kind, Place place, Place other,
    const std::string& message) {
  ++remarks_;
  if (!count_finding(severity, kind, place, other)) return;
  describe_finding(describe(runner, severity, kind, place, other, message));
}

Finding Checker::describe(
    const BlockRunner& runner, Severity severity, const char* kind, Place place, Place other,
    const std::string& message) const {
  return {
      severity,
      kind,
      place,
      other,
      runner.kernel().name,
      runner.current_thread_name(),
      runner.block_name(),
      message};
}

}  // namespace cpu_device
