#include "preemption.h"

#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace cpu_device {
namespace {

constexpr auto kPeriod = std::chrono::milliseconds(20);
constexpr int kSignal = SIGURG;  // ignored by default, so a late one does no harm

thread_local const std::atomic<bool>* stop_of_this_thread = nullptr;
std::atomic<bool> interrupted{false};

void handle(int, siginfo_t*, void* context) {
  BlockRunner* const runner = BlockRunner::current();
  if (runner == nullptr) return;
  const auto* const machine = &static_cast<ucontext_t*>(context)->uc_mcontext;
  const auto code = static_cast<uintptr_t>(machine->gregs[REG_RIP]);
  // Elsewhere, in the C library or in the runtime itself, another thread must not come in between.
  if (code < runner->kernel().code_begin || code >= runner->kernel().code_end) return;
  if (stop_of_this_thread->load()) runner->abandon();
  runner->yield();
}

class Watchdog {
 public:
  int enter(BlockRunner& runner, std::atomic<bool>& stop) {
    const std::lock_guard lock(mutex_);
    if (!started_) start();
    const Watched watched{&runner, pthread_self(), runner.switches(), &stop, true};
    ++active_;
    wake_.notify_one();
    for (size_t slot = 0; slot < watched_.size(); ++slot) {
      if (watched_[slot].active) continue;
      watched_[slot] = watched;
      return static_cast<int>(slot);
    }
    watched_.push_back(watched);
    return static_cast<int>(watched_.size()) - 1;
  }

  void leave(int slot) {
    const std::lock_guard lock(mutex_);
    watched_[static_cast<size_t>(slot)].active = false;
    --active_;
  }

 private:
  struct Watched {
    BlockRunner* runner;
    pthread_t thread;
    uint64_t switches;
    std::atomic<bool>* stop;
    bool active;
  };

  void start() {
    struct sigaction action = {};
    action.sa_sigaction = handle;
    // The interrupted thread's own stack keeps its state until it runs again.
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
    sigaction(kSignal, &action, nullptr);
    started_ = true;
    std::thread([this] { watch(); }).detach();
  }

  void watch() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return active_ > 0; });
      lock.unlock();
      std::this_thread::sleep_for(kPeriod);
      lock.lock();
      for (Watched& watched : watched_) {
        if (!watched.active) continue;
        if (interrupted) *watched.stop = true;
        const uint64_t now = watched.runner->switches();
        if (now == watched.switches || *watched.stop) pthread_kill(watched.thread, kSignal);
        watched.switches = now;
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Watched> watched_;
  int active_ = 0;
  bool started_ = false;
};

// Never destroyed: its thread runs until the program ends.
Watchdog& watchdog() {
  static Watchdog& instance = *new Watchdog;
  return instance;
}

}  // namespace

PreemptionScope::PreemptionScope(BlockRunner& runner, std::atomic<bool>& stop) {
  stop_of_this_thread = &stop;
  slot_ = watchdog().enter(runner, stop);
}
PreemptionScope::~PreemptionScope() { watchdog().leave(slot_); }

void interrupt_launches(bool on) { interrupted = on; }
bool launches_interrupted() { return interrupted; }

}  // namespace cpu_device
