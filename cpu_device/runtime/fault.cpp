#include "fault.h"

#include <assert.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <mutex>

#include "block.h"
#include "memory.h"

namespace cpu_device {
namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE};
struct sigaction previous[NSIG];

void handle(int signal, siginfo_t* info, void* context) {
  BlockRunner* const runner = BlockRunner::current();
  if (runner != nullptr) {
    const auto* const machine = &static_cast<ucontext_t*>(context)->uc_mcontext;
    const bool no_address = signal == SIGSEGV && info->si_code == SI_KERNEL;
    runner->fail_from_signal(
        signal, no_address, reinterpret_cast<uintptr_t>(info->si_addr),
        static_cast<uintptr_t>(machine->gregs[REG_RIP]));
  }
  // Host code: as if this handler were not there. Returning runs the instruction again.
  sigaction(signal, &previous[signal], nullptr);
}

std::string hex(uintptr_t address) {
  char text[32];
  snprintf(text, sizeof text, "0x%zx", static_cast<size_t>(address));
  return text;
}

}  // namespace

void install_fault_handlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_sigaction = handle;
    // The handler leaves by a context switch, so the signal must not stay blocked.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (const int signal : kSignals) sigaction(signal, &action, &previous[signal]);
  });
}

void use_alternate_signal_stack() {
  thread_local bool done = false;
  if (done) return;
  done = true;
  constexpr size_t kSize = 64 * 1024;
  stack_t stack = {};
  stack.ss_sp = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack.ss_size = kSize;
  if (stack.ss_sp != MAP_FAILED) sigaltstack(&stack, nullptr);
}

std::string describe_address(uintptr_t address) {
  constexpr uintptr_t kNear = 64 * 1024;
  if (address < kNear) return "a null pointer (address " + hex(address) + ")";
  if (!in_device_range(address)) return "address " + hex(address) + ", which is no device memory";
  if (const auto near = nearest_allocation(address)) {
    const uintptr_t end = near->begin + near->size;
    const std::string of =
        " an allocation of " + std::to_string(near->size) + " bytes at " + hex(near->begin);
    if (address >= end && address - end < kNear) {
      return "address " + hex(address) + ", " + std::to_string(address - end) +
             " bytes past the end of" + of;
    }
    if (address < near->begin && near->begin - address < kNear) {
      return "address " + hex(address) + ", " + std::to_string(near->begin - address) +
             " bytes before the start of" + of;
    }
  }
  if (was_allocated(address)) return "address " + hex(address) + ", in memory that has been freed";
  return "address " + hex(address) + ", where nothing was ever allocated";
}

}  // namespace cpu_device

// assert() in a kernel: the C library's own function would end the whole program.
extern "C" void __assert_fail(
    const char* assertion, const char* file, unsigned int line, const char* function) noexcept {
  cpu_device::BlockRunner* const runner = cpu_device::BlockRunner::current();
  if (runner != nullptr) {
    runner->fail(
        cudaErrorAssert,
        std::string("assertion `") + assertion + "' failed in " + (function ? function : "?"),
        std::string(file) + ":" + std::to_string(line));
  }
  using Original = void (*)(const char*, const char*, unsigned int, const char*);
  const auto original = reinterpret_cast<Original>(dlsym(RTLD_NEXT, "__assert_fail"));
  if (original != nullptr) original(assertion, file, line, function);
  abort();
}
