// What each thread of a block has accessed since its log was last emptied, in program order. Requests, the instructions
// of whole warps, are put together from the logs of their lanes (request_matcher.h).
#pragma once

#include <stdint.h>

namespace cpu_device {

enum class Space : uint8_t { kGlobal, kShared };
enum class Operation : uint8_t { kLoad, kStore, kAtomic };

// An access as the log keeps it: the address, and above its 48 bits the rest.
class LoggedAccess {
 public:
  static constexpr unsigned kAddressBits = 48;

  static constexpr uint64_t kind(Space space, Operation operation, unsigned log_size) {
    const uint64_t bits =
        static_cast<unsigned>(space) | static_cast<unsigned>(operation) << 1 | log_size << 3;
    return bits << kAddressBits;
  }
  constexpr explicit LoggedAccess(uint64_t bits) : bits_(bits) {}
  uint64_t address() const { return bits_ & ((uint64_t{1} << kAddressBits) - 1); }
  unsigned kind() const { return static_cast<unsigned>(bits_ >> kAddressBits); }

 private:
  uint64_t bits_;
};

// What an access's kind says.
constexpr Space space_of(unsigned kind) { return static_cast<Space>(kind & 1); }
constexpr Operation operation_of(unsigned kind) { return static_cast<Operation>(kind >> 1 & 3); }
constexpr unsigned size_of(unsigned kind) { return 1u << (kind >> 3 & 7); }

struct AccessLog {
  // So many accesses are logged before a thread waits for its warp: long enough for a switch of threads to cost little,
  // short enough for the logs of a warp to stay in the second-level cache.
  static constexpr uint32_t kCapacity = 256;

  uint32_t count = 0;
  uint32_t code[kCapacity];    // low half of the return address
  uint64_t access[kCapacity];  // LoggedAccess

  bool full() const { return count == kCapacity; }
  void add(uint64_t bits, uint32_t from) {
    access[count] = bits;
    code[count] = from;
    ++count;
  }
  // Makes one access of four, or of two, that follow each other to neighbouring members of an aligned vector: how a
  // structure is copied member by member. An instruction of a loop is never joined with itself.
  void join_members();
};

}  // namespace cpu_device
