// A fiber's stack: mapped lazily, with a guard page below it.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace cpu_device {

class FiberStack {
 public:
  // colour varies where in its first page the stack begins, so that the tops of many stacks do not fall into the
  // same few sets of the data cache.
  explicit FiberStack(unsigned colour);
  ~FiberStack();
  FiberStack(const FiberStack&) = delete;
  FiberStack& operator=(const FiberStack&) = delete;

  void* top() const { return top_; }
  size_t size() const;
  bool contains(uintptr_t address) const;
  bool is_guard(uintptr_t address) const;

 private:
  char* base_;
  char* top_;
};

}  // namespace cpu_device
