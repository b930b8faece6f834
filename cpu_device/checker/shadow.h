// Shadow memory: for every 4-byte word of device and shared memory, who wrote and who read it last, and which of its
// bytes hold a value.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cpu_device.h"

namespace cpu_device {

// Who accessed a word: the thread's linear id in its block, and how many warp synchronisations its warp had passed.
struct Accessor {
  uint32_t thread : 10;
  uint32_t warp_interval : 22;

  unsigned warp() const { return thread / 32; }
};

// When: intervals are numbered through the whole run; every launch, block and barrier begins a new one. 0 is never.
struct WordShadow {
  uint32_t write_interval;
  Accessor writer;
  uint32_t write_code;  // low half of the code address
  uint32_t
      atomic_interval;  // of atomic writes, which are kept apart: they race with plain ones only
  Accessor atomic_by;
  uint32_t atomic_code;
  uint32_t read_interval;
  Accessor reader;
  uint32_t read_code;
  uint32_t many_read_code;         // of another reader in read_interval, where there are many
  uint32_t foreign_read_interval;  // last read by an earlier block of the launch
  uint32_t foreign_read_code;
  uint8_t initialised;                  // one bit per byte
  uint8_t written, read, foreign_read;  // bytes of the last accesses
  uint8_t atomically;                   // bytes of the last atomic writes
  bool many_warps_atomic : 1;           // in atomic_interval
  bool many_warps_read : 1;             // in read_interval
  bool many_lanes_read : 1;             // of the reader's warp since its last synchronisation
};
static_assert(sizeof(WordShadow) == 56);

// One allocation, __device__ variable or shared array as the checks see it.
struct Region {
  uintptr_t begin = 0;
  size_t size = 0;
  WordShadow* words = nullptr;  // of the word that contains begin, and on
  const char* name = "";        // of a variable; "" for an allocation
  bool shared = false;
  bool freed = false;
  bool constant = false;
  bool initialised = false;    // as a whole, from the start: variables
  uintptr_t allocated_at = 0;  // code address
  uintptr_t read_only_begin = 0, read_only_end = 0;
  cpuDeviceCounters traffic = {};  // of device memory, while accesses are counted

  bool contains(uintptr_t address, size_t bytes) const {
    return address >= begin && address - begin <= size && bytes <= size - (address - begin);
  }
  WordShadow& word(uintptr_t address) const { return words[(address >> 2) - (begin >> 2)]; }
};

// Zeroed shadow words for a region, committed as they are touched.
WordShadow* map_words(uintptr_t begin, size_t size);
void unmap_words(WordShadow* words, uintptr_t begin, size_t size);

// Zeroed tags for every word of a range, committed as they are touched; null if the address space is too small.
uint32_t* map_tags(size_t size);
// Sets them all to 0.
void clear_tags(uint32_t* tags, size_t size);

}  // namespace cpu_device
