// The short way through an access that is like one already checked.
//
// Most accesses repeat what the same thread, another lane of its warp or another warp has done to the word in the same
// interval between barriers. Checking such an access again would find nothing and change nothing. So every word has two
// tags, one for reads and one for writes. A tag names whoever may access the word again without a check: everyone in
// this interval, one warp until it is synchronised again, or one thread. Tags are numbers that are never used twice: those
// of an earlier interval fit nobody.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "access_log.h"

namespace cpu_device {

struct FastPath {
  uintptr_t device_begin = 0;
  size_t device_size = 0;         // 0: no tags for device memory
  uint32_t* device_tags[2] = {};  // one per word: of reads, of writes
  uintptr_t shared_begin = 0;
  size_t shared_size = 0;
  uint32_t* shared_tags[2] = {};
  // Whoever's tag is one of these may pass: the running thread does.
  uint32_t everyone = 0, warp = 0, thread = 0;
  AccessLog* log = nullptr;  // of the running thread, while accesses are counted

  uint32_t* read_tag(uintptr_t address) const { return tag(0, address); }
  uint32_t* write_tag(uintptr_t address) const { return tag(1, address); }

  // True if the access needs no further look. kSize: 1, 2, 4, 8 or 16. *space is set then.
  template <unsigned kSize, bool kWrite>
  bool passes(uintptr_t address, Space* space) const {
    const uint32_t* tags;
    size_t offset = address - device_begin;
    if (offset < device_size) {
      tags = device_tags[kWrite];
      *space = Space::kGlobal;
    } else {
      offset = address - shared_begin;
      if (offset >= shared_size) return false;
      tags = shared_tags[kWrite];
      *space = Space::kShared;
    }
    if (address % kSize != 0) return false;
    tags += offset / 4;
    for (unsigned word = 0; word < (kSize + 3) / 4; ++word) {
      if (!fits<kWrite>(tags[word])) return false;
    }
    return true;
  }

 private:
  template <bool kWrite>
  bool fits(uint32_t tag) const {
    if (kWrite) return tag == thread;
    return tag == everyone || tag == warp || tag == thread;
  }
  uint32_t* tag(int write, uintptr_t address) const {
    if (address - device_begin < device_size) {
      return device_tags[write] + (address - device_begin) / 4;
    }
    if (address - shared_begin < shared_size) {
      return shared_tags[write] + (address - shared_begin) / 4;
    }
    return nullptr;
  }
};

// Of the block that this CPU thread runs in a checked program; null in host code and in programs that are not checked.
extern thread_local FastPath* fast_path;

}  // namespace cpu_device
