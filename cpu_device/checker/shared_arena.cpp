#include "shared_arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace cpu_device {
namespace {

alignas(4096) unsigned char memory[SharedArena::kBytes];

}  // namespace

uintptr_t SharedArena::begin() const { return reinterpret_cast<uintptr_t>(memory); }

void* SharedArena::place(const void* key, size_t size, const char* name) {
  void*& place = places_[key];
  if (place == nullptr) place = add(size, name);
  return place;
}

void* SharedArena::add(size_t size, const char* name) {
  const size_t span = (size + kGranule - 1) / kGranule * kGranule;
  if (size > kBytes || used_ + span + kGranule > kBytes) {
    fprintf(
        stderr, "cpu_device: the __shared__ variables of this program exceed %zu bytes\n", kBytes);
    abort();
  }
  Region* const region = new Region;  // lives as long as the program
  region->begin = begin() + used_;
  region->size = size;
  region->name = name;
  region->shared = true;
  region->words = map_words(region->begin, size);
  variables_.push_back(region);
  for (size_t offset = used_; offset < used_ + span; offset += kGranule) {
    by_granule_[offset / kGranule] = region;
  }
  used_ += span + kGranule;
  memset(reinterpret_cast<void*>(region->begin), 0xff, size);
  return reinterpret_cast<void*>(region->begin);
}

Region* SharedArena::find(uintptr_t address) {
  const size_t offset = address - begin();
  if (offset >= kDynamicBytes) return by_granule_[offset / kGranule];
  if (dynamic_.words == nullptr) {
    dynamic_.begin = begin();
    dynamic_.name = "extern __shared__";
    dynamic_.shared = true;
    dynamic_.words = map_words(begin(), kDynamicBytes);
  }
  return &dynamic_;
}

const Region* SharedArena::nearest(uintptr_t address) const {
  if (address - begin() < kDynamicBytes) return &dynamic_;
  const Region* best = nullptr;
  size_t distance = kBytes;
  for (const Region* region : variables_) {
    const uintptr_t end = region->begin + region->size;
    const size_t here = address < region->begin ? region->begin - address : address - end;
    if (here < distance) {
      distance = here;
      best = region;
    }
  }
  return best;
}

void SharedArena::poison() {
  memset(memory, 0xff, dynamic_.size);
  for (const Region* region : variables_) {
    memset(reinterpret_cast<void*>(region->begin), 0xff, region->size);
  }
}

}  // namespace cpu_device
