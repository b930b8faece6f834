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
#include "module.h"
#include "registry.h"

namespace cpu_device {
namespace {

constexpr size_t kGranule = 64 * 1024;  // allocations lie further apart than this

bool is_write(Access kind) {
  return kind != Access::kRead && kind != Access::kCopy && kind != Access::kVolatileRead;
}
bool is_read(Access kind) { return kind != Access::kWrite && kind != Access::kVolatileWrite; }
// Volatile accesses are how threads poll and signal: as atomic ones, they do not race with each other.
bool is_atomic(Access kind) {
  return kind != Access::kRead && kind != Access::kCopy && kind != Access::kWrite;
}

std::string bytes(size_t n) { return std::to_string(n) + (n == 1 ? " byte" : " bytes"); }

std::string name_of(const Region& region) {
  if (*region.name != '\0') {
    return std::string(region.shared ? "shared memory `" : "`") + region.name + "' (" +
           bytes(region.size) + ")";
  }
  return "an allocation of " + bytes(region.size);
}

std::string where_in(const Region& region, uintptr_t address) {
  return "byte " + std::to_string(address - region.begin) + " of " + name_of(region);
}

const char* verb(Access kind) {
  if (kind == Access::kAtomic) return "atomic operation on";
  return is_write(kind) ? "write to" : "read of";
}

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

// The region of device memory or the variable at an address, or null.
Region* Checker::region_at(uintptr_t address) const {
  if (in_device_range(address)) {
    return regions_ == nullptr ? nullptr : regions_[(address - device_range().begin) / kGranule];
  }
  for (const auto& region : variables_) {
    if (region->contains(address, 1)) return region.get();
  }
  return nullptr;
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

void Checker::access(
    const BlockRunner& runner, uintptr_t address, size_t size, Access kind, uintptr_t code) {
  if (pending_) settle_pending_write();
  bool local = false;
  Region* const region = find(address, runner, &local);
  if (bad_index_pending_ && settle_bad_index_at(address, region, code)) return;
  if (region == nullptr && local &&
      check_near_variable(runner, address, size, is_write(kind), code))
    return;
  if (local) return;
  if (region == nullptr || region->freed || !region->contains(address, size)) {
    out_of_bounds(runner, address, size, region, is_write(kind), code);
    return;
  }
  if (size <= 16 && (address & (size - 1)) != 0) {
    add(runner, Severity::kError, "misaligned", {code, nullptr, 0}, {},
        std::string(verb(kind)) + " " + bytes(size) + " at an address that is not a multiple of " +
            std::to_string(size) + ": " + where_in(*region, address));
  }
  if (kind == Access::kAtomic || kind == Access::kVolatileWrite || kind == Access::kVolatileRead) {
    const unsigned me = runner.linear_id();
    if (fenced_[me] == interval_) released_[me] = interval_;
    acquired_[me] = interval_;
    if (block_fenced_) releases_.back().last_release = interval_;
    block_acquired_ = true;
  }
  for (uintptr_t at = address; at < address + size;) {
    const uintptr_t next = std::min((at & ~uintptr_t{3}) + 4, address + size);
    const uint64_t remarks = remarks_;
    check_word(runner, *region, at, next - at, kind, code);
    retag(*region, at, region->word(at), kind, next - at == 4 && remarks_ == remarks);
    at = next;
  }
  if (fast_path_.log != nullptr && !region->constant) log(*region, address, size, kind, code);
}

// An access has been checked. If another one like it would find nothing and change nothing, whoever may make it gets
// the word's tag.
void Checker::retag(
    const Region& region, uintptr_t address, const WordShadow& word, Access kind, bool harmless) {
  uint32_t* const read_tag = fast_path_.read_tag(address);
  if (read_tag == nullptr || region.words == nullptr) return;
  uint32_t* const write_tag = fast_path_.write_tag(address);
  const uint32_t own = fast_path_.thread;
  const bool many =
      word.read_interval == interval_ && (word.many_warps_read || word.many_lanes_read);
  if (harmless && kind == Access::kRead) {
    // What this interval has written, only its writer may read unseen.
    const bool written = word.write_interval == interval_;
    *read_tag = !written && word.many_warps_read   ? fast_path_.everyone
                : !written && word.many_lanes_read ? fast_path_.warp
                                                   : own;
    if (many || *write_tag != own) *write_tag = 0;
  } else if (harmless && kind == Access::kWrite) {
    *write_tag = own;
    if (*read_tag != own) *read_tag = 0;
  } else {
    *read_tag = 0;
    *write_tag = 0;
  }
}

void Checker::log(
    const Region& region, uintptr_t address, size_t size, Access kind, uintptr_t code) {
  const Operation operation = kind == Access::kAtomic ? Operation::kAtomic
                              : is_write(kind)        ? Operation::kStore
                                                      : Operation::kLoad;
  const Space space = region.shared ? Space::kShared : Space::kGlobal;
  const auto log_size = static_cast<unsigned>(__builtin_ctzll(size));
  fast_path_.log->add(
      address | LoggedAccess::kind(space, operation, log_size), static_cast<uint32_t>(code));
}

// The region of an address; null where there is none. *local: memory of no interest, such as the thread's own stack.
Region* Checker::find(uintptr_t address, const BlockRunner& runner, bool* local) {
  if (shared_.contains(address)) return shared_.find(address);
  if (in_device_range(address)) return region_at(address);
  if (runner.is_own_stack(address)) {
    *local = true;
    return nullptr;
  }
  if (Region* const variable = region_at(address)) return variable;
  // Constants, tables and string literals of the program.
  *local = address >= runner.kernel().image_begin && address < runner.kernel().image_end;
  return nullptr;
}

void Checker::check_word(
    const BlockRunner& runner, Region& region, uintptr_t address, size_t size, Access kind,
    uintptr_t code) {
  WordShadow& word = region.word(address);
  const auto mask = static_cast<uint8_t>(((1u << size) - 1) << (address & 3));
  const unsigned thread = runner.linear_id();
  const Accessor me{thread, warp_interval_[thread / kWarpSize] & 0x3fffff};
  const bool write = is_write(kind);
  const bool atomic = is_atomic(kind);
  // Shared memory lives as long as its block.
  const uint32_t scope = region.shared ? block_begin_ : launch_begin_;

  uint8_t initialised = word.initialised;
  if (region.shared && word.write_interval < block_begin_ && word.atomic_interval < block_begin_) {
    initialised = 0;
  }
  if (is_read(kind) && kind != Access::kCopy && !region.initialised &&
      (initialised & mask) != mask) {
    add(runner, Severity::kError, region.shared ? "uninitialised-shared" : "uninitialised-global",
        {code, nullptr, 0}, {},
        "read of memory that nothing has been written to: " + where_in(region, address));
  }
  if (write && address >= region.read_only_begin && address < region.read_only_end) {
    add(runner, Severity::kError, "read-only-write", {code, nullptr, 0}, {},
        "write to memory that is only to be read: " + where_in(region, address));
  }

  if (word.write_interval >= scope && (word.written & mask) != 0) {
    const Order found = order(runner, word.write_interval, word.writer);
    if (found != Order::kOrdered) {
      race(runner, region, address, size, found, write && !atomic, code, word.write_code);
    }
  }
  // A plain read beside an atomic write sees the old or the new value: loops around atomicCAS begin like that.
  if (write && !atomic && word.atomic_interval >= scope && (word.atomically & mask) != 0) {
    Order found = order(runner, word.atomic_interval, word.atomic_by);
    if (word.atomic_interval == interval_ && word.many_warps_atomic) found = Order::kSameBlock;
    if (found != Order::kOrdered)
      race(runner, region, address, size, found, false, code, word.atomic_code);
  }
  if (write && !atomic && word.read_interval >= scope && (word.read & mask) != 0) {
    Order found = order(runner, word.read_interval, word.reader);
    if (word.read_interval == interval_) {
      if (word.many_warps_read) {
        found = Order::kSameBlock;
      } else if (
          found == Order::kOrdered && word.many_lanes_read &&
          word.reader.warp_interval == me.warp_interval) {
        found = Order::kSameWarp;
      }
    }
    if (found != Order::kOrdered) {
      const bool own = word.read_interval == interval_ && word.reader.thread == me.thread;
      race(
          runner, region, address, size, found, false, code,
          own ? word.many_read_code : word.read_code);
    }
  }
  if (write && !atomic && !region.shared && word.foreign_read_interval >= launch_begin_ &&
      (word.foreign_read & mask) != 0 && !handed_over(word.foreign_read_interval)) {
    race(runner, region, address, size, Order::kOtherBlock, false, code, word.foreign_read_code);
  }

  if (is_read(kind) && !atomic) {
    if (word.read_interval == interval_) {
      // Readers that are ordered follow each other; of others both count.
      if (order(runner, word.read_interval, word.reader) != Order::kOrdered) {
        word.many_read_code = word.read_code;
        if (word.reader.warp() != me.warp()) {
          word.many_warps_read = true;
        } else {
          word.many_lanes_read = true;
        }
      } else if (word.reader.warp() == me.warp() && word.reader.warp_interval != me.warp_interval) {
        word.many_lanes_read = false;  // __syncwarp() lies between
      }
      word.read |= mask;
    } else {
      if (word.read_interval >= launch_begin_ && word.read_interval < block_begin_) {
        word.foreign_read_interval = word.read_interval;
        word.foreign_read_code = word.read_code;
        word.foreign_read = word.read;
      }
      word.many_warps_read = false;
      word.many_lanes_read = false;
      word.read = mask;
    }
    word.read_interval = interval_;
    word.reader = me;
    word.read_code = static_cast<uint32_t>(code);
  }
  if (write && atomic) {
    const bool again = word.atomic_interval == interval_;
    word.many_warps_atomic =
        again && (word.many_warps_atomic || word.atomic_by.warp() != me.warp());
    word.atomically = again ? word.atomically | mask : mask;
    word.atomic_interval = interval_;
    word.atomic_by = me;
    word.atomic_code = static_cast<uint32_t>(code);
  } else if (write) {
    word.written = word.write_interval == interval_ ? word.written | mask : mask;
    word.write_interval = interval_;
    word.writer = me;
    word.write_code = static_cast<uint32_t>(code);
  }
  if (write) word.initialised = initialised | mask;
}

// How the running thread stands to an access in an earlier or the present interval.
Checker::Order Checker::order(const BlockRunner& runner, uint32_t interval, Accessor by) const {
  if (interval < block_begin_) return handed_over(interval) ? Order::kOrdered : Order::kOtherBlock;
  if (interval != interval_) return Order::kOrdered;  // a barrier of the block lies between
  const unsigned me = runner.linear_id();
  if (by.thread == me) return Order::kOrdered;
  if (released_[by.thread] == interval_ && acquired_[me] == interval_) return Order::kOrdered;
  if (by.warp() != me / kWarpSize) return Order::kSameBlock;
  const bool synchronised = by.warp_interval != (warp_interval_[by.warp()] & 0x3fffff);
  return synchronised ? Order::kOrdered : Order::kSameWarp;
}

// Whether another block's access was made known to this block by a fence and an atomic operation.
bool Checker::handed_over(uint32_t interval) const {
  if (!block_acquired_) return false;
  const auto after = std::upper_bound(
      releases_.begin(), releases_.end(), interval,
      [](uint32_t value, const BlockRelease& release) { return value < release.block_begin; });
  return after != releases_.begin() && std::prev(after)->last_release >= interval;
}

void Checker::race(
    const BlockRunner& runner, const Region& region, uintptr_t address, size_t size, Order order,
    bool both_write, uintptr_t code, uint32_t other_code) {
  ++remarks_;
  const char* const kind = region.shared ? "shared-race" : "global-race";
  const Severity severity = order == Order::kSameWarp ? Severity::kWarning : Severity::kError;
  const char* const who = order == Order::kOtherBlock ? "threads of different blocks"
                          : order == Order::kSameWarp
                              ? "lanes of one warp, without __syncwarp(),"
                              : "threads of different warps, without a barrier,";
  Finding finding = {
      severity, kind, {code, nullptr, 0}, {full_code(other_code, code), nullptr, 0}, "", "",
      "",       ""};
  if (both_write && address + size - (address & ~uintptr_t{15}) <= 16) {
    finding = describe(
        runner, severity, kind, finding.place, finding.other,
        std::string(who) + " write to " + where_in(region, address));
    pending_write_.address = address;
    pending_write_.size = size;
    memcpy(pending_write_.before, reinterpret_cast<const void*>(address), size);
    pending_write_.finding = finding;
    pending_ = true;
    return;
  }
  add(runner, severity, kind, finding.place, finding.other,
      std::string(who) + " read and write " + where_in(region, address));
}

void Checker::settle_pending_write() {
  if (!pending_) return;
  pending_ = false;
  Finding& finding = pending_write_.finding;
  const void* const now = reinterpret_cast<const void*>(pending_write_.address);
  if (memcmp(now, pending_write_.before, pending_write_.size) == 0) {
    finding.severity = Severity::kNote;
    finding.message += " (the same value)";
  }
  if (count_finding(finding.severity, finding.kind, finding.place, finding.other)) {
    describe_finding(finding);
  }
}

void Checker::bad_index(
    const BlockRunner& runner, const char* file, int line, long long index, const char* type) {
  settle_bad_index("local-out-of-bounds");
  bad_index_ = describe(
      runner, Severity::kError, "local-out-of-bounds", {0, file, line}, {},
      "index " + std::to_string(index) + " of an array of type " + type);
  bad_index_pending_ = true;
}

// An access follows a bad index. If it is on the same line it is the one, and tells which kind of memory the array is in.
bool Checker::settle_bad_index_at(uintptr_t address, const Region* region, uintptr_t code) {
  // Once for each instruction: a loop may make a million bad indices, and addr2line takes a millisecond.
  const auto [known, is_new] = lines_of_bad_indices_.try_emplace(code);
  if (is_new) known->second = source_line(code - 1);
  const std::string& line = known->second;
  const std::string wanted =
      std::string(bad_index_.place.file) + ":" + std::to_string(bad_index_.place.line);
  const auto base = [](const std::string& path) { return path.substr(path.rfind('/') + 1); };
  if (base(line) != base(wanted)) {
    settle_bad_index("local-out-of-bounds");
    return false;
  }
  // Inside an allocation all is well with the access: the array is a local one, which no access shows.
  if (region != nullptr && in_device_range(address)) {
    settle_bad_index("local-out-of-bounds");
    return false;
  }
  const Region* const variable = region == nullptr ? nearest_variable(address) : region;
  settle_bad_index(
      shared_.contains(address)                   ? "shared-out-of-bounds"
      : in_device_range(address)                  ? "global-out-of-bounds"
      : variable != nullptr && variable->constant ? "constant-out-of-bounds"
      : variable != nullptr                       ? "global-out-of-bounds"
                                                  : "local-out-of-bounds");
  return true;
}

// The __device__ or __constant__ variable that ends or begins within a few KiB of an address.
const Region* Checker::nearest_variable(uintptr_t address) const {
  const Region* best = nullptr;
  size_t distance = 4096;
  for (const auto& region : variables_) {
    const size_t here = address < region->begin ? region->begin - address
                        : address >= region->begin + region->size
                            ? address - region->begin - region->size
                            : 0;
    if (here < distance) {
      distance = here;
      best = region.get();
    }
  }
  return best;
}

// Variables of the program that are none of the device's: a kernel gets there only by leaving one that is, or by a
// pointer to host memory. Constants are read-only for the processor too, and are no one's mistake.
bool Checker::check_near_variable(
    const BlockRunner& runner, uintptr_t address, size_t size, bool write, uintptr_t code) {
  if (runner.is_own_stack(address) || !is_writable_data(address)) return false;
  const std::string what = std::string(write ? "write of " : "read of ") + bytes(size) + " ";
  const Region* const near = nearest_variable(address);
  const Place place{code, nullptr, 0};
  if (near != nullptr) {
    add(runner, Severity::kError,
        near->constant ? "constant-out-of-bounds" : "global-out-of-bounds", place, {},
        what + "outside " + name_of(*near));
  } else {
    add(runner, Severity::kError, "host-pointer", place, {},
        what + "of a variable of the host: a kernel reaches only memory of the device");
  }
  return true;
}

void Checker::settle_bad_index(const char* kind) {
  if (!bad_index_pending_) return;
  bad_index_pending_ = false;
  bad_index_.kind = kind;
  if (count_finding(Severity::kError, kind, bad_index_.place, {})) describe_finding(bad_index_);
}

void Checker::out_of_bounds(
    const BlockRunner& runner, uintptr_t address, size_t size, const Region* region, bool write,
    uintptr_t code) {
  const Place place{code, nullptr, 0};
  const std::string what = std::string(write ? "write of " : "read of ") + bytes(size) + " ";
  if (shared_.contains(address)) {
    const Region* const near = region != nullptr ? region : shared_.nearest(address);
    std::string where = "outside all shared memory of the block";
    if (near != nullptr) {
      const uintptr_t end = near->begin + near->size;
      where = address >= near->begin
                  ? bytes(address + size > end && address < end ? 0 : address - end) +
                        " past the end of "
                  : bytes(near->begin - address) + " before ";
      where += name_of(*near);
    }
    add(runner, Severity::kError, "shared-out-of-bounds", place, {}, what + where);
  } else if (address < kGranule) {
    add(runner, Severity::kError, "null-pointer", place, {}, what + "through a null pointer");
  } else if (!in_device_range(address)) {
    add(runner, Severity::kError, "host-pointer", place, {},
        what + "of host memory: a kernel reaches only memory of the device");
  } else if (region != nullptr && region->freed && address - region->begin < region->size) {
    add(runner, Severity::kError, "use-after-free", place, {},
        what + "in memory that has been freed");
  } else {
    add(runner, Severity::kError, "global-out-of-bounds", place, {},
        what + "at " + describe_address(address));
  }
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
