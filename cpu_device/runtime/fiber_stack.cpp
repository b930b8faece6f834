#include "fiber_stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

namespace cpu_device {
namespace {

constexpr size_t kGuard = 64 * 1024;  // a large frame must not step over it
constexpr size_t kStack = 256 * 1024;
constexpr size_t kColours = 32;
constexpr size_t kColourStep = 128;

}  // namespace

FiberStack::FiberStack(unsigned colour) {
  void* const memory = mmap(
      nullptr, kGuard + kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
      -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, kGuard, PROT_NONE) != 0) {
    fprintf(stderr, "cpu_device: no memory for the stacks of a block's threads\n");
    abort();
  }
  base_ = static_cast<char*>(memory);
  top_ = base_ + kGuard + kStack - (colour % kColours) * kColourStep;
}

FiberStack::~FiberStack() { munmap(base_, kGuard + kStack); }

size_t FiberStack::size() const { return static_cast<size_t>(top_ - base_) - kGuard; }

bool FiberStack::contains(uintptr_t address) const {
  const auto base = reinterpret_cast<uintptr_t>(base_);
  return address >= base && address < base + kGuard + kStack;
}

bool FiberStack::is_guard(uintptr_t address) const {
  const auto base = reinterpret_cast<uintptr_t>(base_);
  return address >= base && address < base + kGuard;
}

}  // namespace cpu_device
