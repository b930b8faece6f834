// One access: is it aligned, does it read what was written, does it race with an earlier one. Where it is allowed to go is
// in bounds.cpp.
#include <string.h>

#include <algorithm>

#include "block.h"
#include "checker.h"
#include "memory.h"
#include "module.h"
#include "regions.h"

namespace cpu_device {
namespace {

bool is_write(Access kind) {
  return kind != Access::kRead && kind != Access::kCopy && kind != Access::kVolatileRead;
}
bool is_read(Access kind) { return kind != Access::kWrite && kind != Access::kVolatileWrite; }
// Volatile accesses are how threads poll and signal: as atomic ones, they do not race with each other.
bool is_atomic(Access kind) {
  return kind != Access::kRead && kind != Access::kCopy && kind != Access::kWrite;
}

const char* verb(Access kind) {
  if (kind == Access::kAtomic) return "atomic operation on";
  return is_write(kind) ? "write to" : "read of";
}

}  // namespace

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

}  // namespace cpu_device
