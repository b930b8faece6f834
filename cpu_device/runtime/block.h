// Runs the threads of one block on one CPU thread.
//
// Each CUDA thread is a fiber. A thread runs until it must wait, then hands over to the next thread that can run; a
// thread that never waits needs no fiber of its own: it runs on the one that the thread before it has just left.
// Handing over is direct, one context switch per wait, which is what makes a barrier cheap; the public class
// boost::context::fiber costs two switches for it (11 against 7.5 ns per thread, 128 threads), hence the fcontext calls.
#pragma once

#include <stdint.h>

#include <boost/context/detail/fcontext.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cpu_device.h"
#include "cpu_device/threads.h"
#include "cpu_device/warp.h"
#include "fault.h"
#include "fiber_stack.h"
#include "registry.h"

namespace cpu_device {

// What all blocks of a launch share.
struct Launch {
  KernelInfo* kernel;
  void** args;
  dim3 grid, block;
  size_t shared_bytes;
  unsigned threads;               // per block
  std::vector<uint16_t> order;    // linear thread id by turn: who runs first
  std::vector<uint3> thread_ids;  // threadIdx by turn
};

constexpr unsigned kWarpSize = 32;
constexpr unsigned kMaxThreads = 1024;
constexpr unsigned kMaxWarps = kMaxThreads / kWarpSize;

// One bit per turn.
class TurnSet {
 public:
  void clear() {
    for (uint64_t& word : words_) word = 0;
  }
  void fill(unsigned count) {
    clear();
    for (unsigned i = 0; i < count / 64; ++i) words_[i] = ~uint64_t{0};
    if (count % 64 != 0) words_[count / 64] = (uint64_t{1} << (count % 64)) - 1;
  }
  void add(unsigned turn) { words_[turn / 64] |= uint64_t{1} << (turn % 64); }
  void remove(unsigned turn) { words_[turn / 64] &= ~(uint64_t{1} << (turn % 64)); }
  bool contains(unsigned turn) const { return words_[turn / 64] >> (turn % 64) & 1; }
  // The first turn after `turn`, going round, that is here and not in `except`; -1 if there is none.
  int next_after(unsigned turn, const TurnSet& except) const {
    unsigned word = turn / 64;
    uint64_t after = turn % 64 == 63 ? 0 : ~uint64_t{0} << (turn % 64 + 1);
    for (unsigned i = 0; i <= kWords; ++i) {
      const uint64_t bits = words_[word] & ~except.words_[word] & after;
      if (bits != 0) return static_cast<int>(word * 64 + __builtin_ctzll(bits));
      word = (word + 1) % kWords;
      after = ~uint64_t{0};
    }
    return -1;
  }

 private:
  static constexpr unsigned kWords = kMaxThreads / 64;
  uint64_t words_[kWords] = {};
};

// "(x,y,z)"
std::string to_string(uint3 index);

class BlockRunner {
 public:
  BlockRunner() = default;
  BlockRunner(const BlockRunner&) = delete;
  BlockRunner& operator=(const BlockRunner&) = delete;

  // Runs one block to its end. False when it faulted; *fault then says why.
  bool run(const Launch& launch, uint3 block_index, Fault* fault);

  // Called on the block's own threads.
  void sync_threads(const char* file, int line) { arrive(file, line); }
  int barrier(cpuDeviceBarrierOp op, int predicate, const char* file, int line);
  cpuDeviceWarpResult warp_operation(
      cpuDeviceWarpOp op, uint32_t mask, uint64_t bits, int argument, int width, const char* file,
      int line);
  void poll();
  void yield();
  // Whether another thread of the block could go on now; and lets it, until it is the caller's turn again.
  bool can_run(unsigned linear) const {
    return runnable_.contains(turn_of_[linear]) && !at_barrier_.contains(turn_of_[linear]);
  }
  void run_instead(unsigned linear);
  uint32_t lane() const { return linear_id() % kWarpSize; }
  // Ends the block with a fault. The text gets the kernel, block and thread added.
  [[noreturn]] void fail(cudaError_t error, const std::string& what, const std::string& where);
  // The same from a signal handler: only notes what happened; run() finds the words.
  [[noreturn]] void fail_from_signal(
      int signal, bool kernel_sent, uintptr_t address, uintptr_t code);
  // Gives the block up without a fault of its own: run() returns false and leaves *fault alone.
  [[noreturn]] void abandon() { leave(); }
  // For the checked mode.
  unsigned linear_id() const { return launch_->order[current_]; }
  bool is_own_stack(uintptr_t address) const {
    return fiber_of_turn_[current_]->stack.contains(address);
  }
  std::string current_thread_name() const { return thread_name(current_); }
  std::string block_name() const { return to_string(block_index_); }
  // Grows whenever another thread runs.
  uint64_t switches() const { return switches_; }
  // The module whose code the running kernel is.
  const KernelInfo& kernel() const { return *launch_->kernel; }

  // The runner whose thread is running on this CPU thread, or null in host code.
  static BlockRunner* current();
  // threadIdx, blockIdx, blockDim and gridDim of this CPU thread.
  static bool is_built_in_variable(uintptr_t address);

 private:
  using Context = boost::context::detail::fcontext_t;
  using Transfer = boost::context::detail::transfer_t;

  struct Fiber {
    explicit Fiber(unsigned colour) : stack(colour) {}
    Context context = nullptr;  // while idle
    FiberStack stack;
  };

  // The warp operation that a lane waits for, by linear id.
  struct Wait {
    const char* file;
    int line;
    cpuDeviceWarpOp warp_op;
    uint32_t mask;
    uint64_t bits;
    int argument;
    int width;
    cpuDeviceWarpResult result;
  };

  struct Warp {
    uint32_t live;     // lanes that have not returned
    uint32_t waiting;  // lanes inside a warp operation
  };

  struct Site {
    const char* file;
    int line;
  };

  struct BarrierResult {
    int true_predicates;
    int threads;
  };

  struct MemoryFault {
    int signal;
    bool kernel_sent;  // the processor gave no address
    uintptr_t address;
    uintptr_t code;
    bool stack_guard;
  };

  static void fiber_main(Transfer from);
  void run_threads();
  void finish_thread();
  Context idle_fiber(unsigned turn);
  void reset(Fiber* fiber);
  void discard_fibers();
  void switch_to_next();
  void wait();
  unsigned next_turn();
  unsigned next_turn_when_none_can_run();
  void resume(unsigned turn, Context* save);
  static Transfer keep_context(Transfer from);
  static void jump(Context to, Context* save);
  void set_current(unsigned turn);
  [[noreturn]] void leave();

  void arrive(const char* file, int line);
  [[gnu::noinline]] void arrive_unusually(const char* file, int line);
  void note_site(const char* file, int line);
  void release_barrier();
  bool complete_warp_operation(unsigned warp, uint32_t mask);
  void finish_lanes(unsigned warp, uint32_t lanes);
  bool resolve_active_masks();
  void retry_waiting_lanes(unsigned warp);
  [[noreturn]] void fail_stuck();
  void check_stuck(bool barriers_only) const;
  void tell_memory_fault();
  std::string thread_name(unsigned turn) const;
  std::string thread_names(const std::vector<unsigned>& turns) const;

  const Launch* launch_ = nullptr;
  uint3 block_index_ = {};
  Fault* fault_ = nullptr;
  bool failed_ = false;
  MemoryFault memory_fault_ = {};

  unsigned current_ = 0;  // turn of the running thread
  unsigned live_ = 0;
  unsigned polls_ = 0;
  uint64_t switches_ = 0;
  TurnSet runnable_;  // may run, the running one included
  TurnSet at_barrier_;
  unsigned arrived_ = 0;
  // Where the first thread arrived; a thread that arrives elsewhere notes its own place.
  Site barrier_site_ = {};
  std::map<unsigned, Site> other_sites_;  // by turn
  unsigned generation_ = 0;
  int predicates_true_ = 0;
  BarrierResult barrier_result_[2] = {};  // of the last barriers, by parity of the generation

  Context main_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Context context_of_turn_[kMaxThreads];  // null until the thread has run and waited
  Fiber* fiber_of_turn_[kMaxThreads] = {};
  uint16_t turn_of_[kMaxThreads] = {};  // by linear id
  Wait waits_[kMaxThreads];
  Warp warps_[kMaxWarps];
};

}  // namespace cpu_device
