// Shared memory of a checked program: every __shared__ variable has a place of its own with red zones around it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <unordered_map>
#include <vector>

#include "shadow.h"

namespace cpu_device {

class SharedArena {
 public:
  static constexpr size_t kDynamicBytes = 256 * 1024;  // more than any GPU has
  static constexpr size_t kBytes = 2 << 20;
  static constexpr size_t kGranule = 256;

  // The place of the variable that a key stands for: the same at every call.
  void* place(const void* key, size_t size, const char* name);
  void* dynamic_base() const { return reinterpret_cast<void*>(begin()); }

  uintptr_t begin() const;
  bool contains(uintptr_t address) const { return address - begin() < kBytes; }
  // The variable whose granule an address lies in, or null; the caller checks the bounds.
  Region* find(uintptr_t address);
  // The variable that ends or begins nearest: for messages.
  const Region* nearest(uintptr_t address) const;

  void begin_launch(size_t dynamic_bytes) { dynamic_.size = dynamic_bytes; }
  // Fills everything with 0xFF, as a fast build does.
  void poison();

 private:
  void* add(size_t size, const char* name);

  Region dynamic_;
  std::unordered_map<const void*, void*> places_;
  std::vector<Region*> variables_;
  Region* by_granule_[kBytes / kGranule] = {};
  size_t used_ = kDynamicBytes + kGranule;
};

}  // namespace cpu_device
