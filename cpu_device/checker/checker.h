// The checks of a program that cucc --check has compiled: every access of a kernel comes here, with its address, size and
// place. Two accesses conflict if they touch the same byte, at least one writes, not both are atomic, and nothing orders
// them. That depends on who accessed what between which barriers, not on the order in which threads happened to run.
//
// Blocks run one after another while a program is checked, so the state below needs no locks.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fast_path.h"
#include "findings.h"
#include "shadow.h"
#include "shared_arena.h"

namespace cpu_device {

class BlockRunner;

// kCopy is a read that copies a structure: it may hold bytes without a value.
enum class Access : uint8_t { kRead, kCopy, kWrite, kAtomic, kVolatileRead, kVolatileWrite };

class Checker {
 public:
  // True once a program or library that was compiled with cucc --check is loaded.
  static bool enabled();
  static void enable();
  static Checker& instance();

  // Host side.
  // filled: host code may write there unseen, so everything counts as written.
  void allocated(uintptr_t begin, size_t size, bool filled, uintptr_t code);
  void freed(uintptr_t begin);
  void all_freed();
  void invalid_free(uintptr_t address, uintptr_t code);
  void written_by_host(uintptr_t address, size_t size);
  bool mark_read_only(uintptr_t address, size_t size);
  void host_access(uintptr_t address, uintptr_t code);
  void launch_failed(const char* error, const char* file, int line);
  void* shared_place(const void* key, size_t size, const char* name) {
    return shared_.place(key, size, name);
  }
  void* dynamic_shared() const { return shared_.dynamic_base(); }
  void errors_seen() { unseen_error_.clear(); }
  void program_ends();

  // What kernels have done to allocations and variables.
  Region* region_at(uintptr_t address) const;
  void clear_traffic();

  // Device side.
  void begin_launch(size_t dynamic_shared_bytes, unsigned threads);
  void end_launch() { settle(); }
  void begin_block();
  void end_block();
  // Another thread of the block goes on.
  void runs(unsigned thread);
  void barrier_passed(unsigned returned, const char* file, int line);
  void warp_synchronised(unsigned warp, unsigned running_thread);
  void fence(const BlockRunner& runner);
  void access(
      const BlockRunner& runner, uintptr_t address, size_t size, Access kind, uintptr_t code);
  // An index that the compiler knows to be outside an array; the access itself follows, or is of no interest.
  void bad_index(
      const BlockRunner& runner, const char* file, int line, long long index, const char* type);
  // A fault that stopped the block, told at the places where its threads stand.
  void fault(
      const BlockRunner& runner, const char* kind, const char* file, int line,
      const std::string& message, Place other = {});

  void fault_at(
      const BlockRunner& runner, const char* kind, uintptr_t code, const std::string& message) {
    add(runner, Severity::kError, kind, {code + 1, nullptr, 0}, {}, message);
  }

 private:
  enum class Order { kOrdered, kSameWarp, kSameBlock, kOtherBlock };

  // A write over another thread's write: harmless if it does not change the value, which only the next event shows.
  struct PendingWrite {
    uintptr_t address;
    size_t size;
    unsigned char before[16];
    Finding finding;
  };

  Region* find(uintptr_t address, const BlockRunner& runner, bool* local);
  void check_word(
      const BlockRunner& runner, Region& region, uintptr_t address, size_t size, Access kind,
      uintptr_t code);
  Order order(const BlockRunner& runner, uint32_t interval, Accessor by) const;
  bool handed_over(uint32_t interval) const;
  void race(
      const BlockRunner& runner, const Region& region, uintptr_t address, size_t size, Order order,
      bool both_write, uintptr_t code, uint32_t other_code);
  void out_of_bounds(
      const BlockRunner& runner, uintptr_t address, size_t size, const Region* region, bool write,
      uintptr_t code);
  void add(
      const BlockRunner& runner, Severity severity, const char* kind, Place place, Place other,
      const std::string& message);
  Finding describe(
      const BlockRunner& runner, Severity severity, const char* kind, Place place, Place other,
      const std::string& message) const;
  void settle();
  void settle_pending_write();
  void settle_bad_index(const char* kind);
  bool settle_bad_index_at(uintptr_t address, const Region* region, uintptr_t code);
  const Region* nearest_variable(uintptr_t address) const;
  bool check_near_variable(
      const BlockRunner& runner, uintptr_t address, size_t size, bool write, uintptr_t code);
  void begin_interval();
  void new_tags(unsigned warp);
  void retag(
      const Region& region, uintptr_t address, const WordShadow& word, Access kind, bool harmless);
  void log(const Region& region, uintptr_t address, size_t size, Access kind, uintptr_t code);

  Region** regions_ = nullptr;  // of device memory, by 64-KiB granule
  std::vector<std::unique_ptr<Region>> all_regions_;
  std::vector<std::unique_ptr<Region>> variables_;  // __device__ and __constant__
  SharedArena shared_;

  uint32_t interval_ = 1;
  uint32_t launch_begin_ = 1;
  uint32_t block_begin_ = 1;
  uint32_t warp_interval_[32] = {};

  FastPath fast_path_;
  uint32_t next_tag_ =
      ~0u - 3000;                // they soon begin again, so every longer run tests that they may
  uint32_t first_tag_[32] = {};  // of a warp: its own tag, then those of its lanes
  unsigned warps_ = 0;           // of a block of this launch
  unsigned thread_ = 0;          // that is running
  AccessLog* logs_ = nullptr;    // of the block's threads, while accesses are counted
  uint64_t remarks_ = 0;         // accesses that something was said about

  // Hand-over between threads by a fence and an atomic operation: intervals in which each thread last did so.
  uint32_t fenced_[1024] = {};
  uint32_t released_[1024] = {};
  uint32_t acquired_[1024] = {};
  bool block_fenced_ = false;
  bool block_acquired_ = false;
  struct BlockRelease {
    uint32_t block_begin;
    uint32_t last_release;
  };
  std::vector<BlockRelease> releases_;  // of this launch's blocks

  bool pending_ = false;
  PendingWrite pending_write_;
  bool bad_index_pending_ = false;
  Finding bad_index_;
  std::map<uintptr_t, std::string> lines_of_bad_indices_;  // of the accesses that followed one
  struct UnseenError {
    std::string name;
    const char* file = nullptr;
    int line = 0;
    void clear() { name.clear(); }
  };
  UnseenError unseen_error_;
  void report_unseen_error();
};

}  // namespace cpu_device
