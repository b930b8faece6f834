// What the checker's files share about regions: how they lie, and the words for them in findings.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <string>

#include "shadow.h"

namespace cpu_device {

inline constexpr size_t kGranule = 64 * 1024;  // allocations lie further apart than this

inline std::string bytes(size_t n) { return std::to_string(n) + (n == 1 ? " byte" : " bytes"); }

inline std::string name_of(const Region& region) {
  if (*region.name != '\0') {
    return std::string(region.shared ? "shared memory `" : "`") + region.name + "' (" +
           bytes(region.size) + ")";
  }
  return "an allocation of " + bytes(region.size);
}

inline std::string where_in(const Region& region, uintptr_t address) {
  return "byte " + std::to_string(address - region.begin) + " of " + name_of(region);
}

}  // namespace cpu_device
