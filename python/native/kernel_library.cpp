#include "kernel_library.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>
#include <stdexcept>

namespace flash_lessons {
namespace {

// The CPU device runs one call at a time: what it counts and where it faulted are the device's.
std::mutex cpu_device_mutex;

// While it lives, SIGINT gives up the kernels of a call, and then goes where it went before: Python's
// handler notes it, and KeyboardInterrupt is raised after the call. Only for the thread to which Python
// gives signals; a program without a handler of its own is ended as before. One at a time.
class InterruptedBySignal {
 public:
  explicit InterruptedBySignal(decltype(flash_lessons_interrupt)* interrupt) {
    if (syscall(SYS_gettid) != getpid()) return;
    interrupt_ = interrupt;
    sigaction(SIGINT, nullptr, &before_);
    const bool has_handler = (before_.sa_flags & SA_SIGINFO) != 0 ||
                             (before_.sa_handler != SIG_DFL && before_.sa_handler != SIG_IGN);
    if (!has_handler) return;
    struct sigaction action = before_;
    action.sa_sigaction = handle;
    action.sa_flags |=
        SA_SIGINFO | SA_ONSTACK;  // it may come while a kernel's small stack is in use
    installed_ = sigaction(SIGINT, &action, nullptr) == 0;
  }
  ~InterruptedBySignal() {
    if (!installed_) return;
    sigaction(SIGINT, &before_, nullptr);
    interrupt_(0);
  }
  InterruptedBySignal(const InterruptedBySignal&) = delete;
  InterruptedBySignal& operator=(const InterruptedBySignal&) = delete;

 private:
  static void handle(int number, siginfo_t* info, void* context) {
    interrupt_(1);
    if ((before_.sa_flags & SA_SIGINFO) != 0)
      before_.sa_sigaction(number, info, context);
    else
      before_.sa_handler(number);
  }

  static inline decltype(flash_lessons_interrupt)* interrupt_ = nullptr;
  static inline struct sigaction before_ = {};
  bool installed_ = false;
};

}  // namespace

KernelLibrary::KernelLibrary(const std::string& path) : path_(path) {
  const std::lock_guard<std::mutex> lock(cpu_device_mutex);
  // DEEPBIND: its own CUDA runtime comes before one that PyTorch has made global.
  handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (handle_ == nullptr) throw std::runtime_error(dlerror());
  if (find<int()>("flash_lessons_call_version")() != kCallVersion)
    throw std::runtime_error(path + " was built by another version of flash_lessons");
  is_gpu_ = find<int()>("flash_lessons_is_gpu")() != 0;
  functions_ = find<int()>("flash_lessons_functions")();
  static_bytes_ = find<std::uint64_t()>("flash_lessons_static_bytes")();
  if (!is_gpu_) {  // where it answers for all libraries together
    static std::uint64_t before = 0;
    static_bytes_ -= before;
    before += static_bytes_;
  }
}

void* KernelLibrary::symbol(const char* name) const {
  void* const symbol = dlsym(handle_, name);
  if (symbol == nullptr) throw std::runtime_error(path_ + " is no kernel library: " + name);
  return symbol;
}

void KernelLibrary::run(
    const Call& call, Result* result, FindingCallback on_finding, void* user) const {
  auto* const function = find<decltype(flash_lessons_run)>("flash_lessons_run");
  std::unique_lock<std::mutex> lock(cpu_device_mutex, std::defer_lock);
  if (is_gpu_) return function(&call, result, on_finding, user);
  lock.lock();
  const InterruptedBySignal interrupted(
      find<decltype(flash_lessons_interrupt)>("flash_lessons_interrupt"));
  function(&call, result, on_finding, user);
}

void load_runtime(const std::string& path) {
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND) == nullptr)
    throw std::runtime_error(dlerror());
}

}  // namespace flash_lessons
