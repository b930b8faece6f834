#include "block.h"

#include <string.h>

#include "checker.h"
#include "cuda_runtime_api.h"
#include "module.h"

// The built-in variables of threads.h under names of their own: const for programs, set here at every switch.
__thread uint3 thread_index __asm__("threadIdx");
__thread uint3 block_index __asm__("blockIdx");
__thread uint3 block_dim __asm__("blockDim");
__thread uint3 grid_dim __asm__("gridDim");

namespace cpu_device {
namespace {

thread_local BlockRunner* current_runner = nullptr;

// Shared memory starts each block as NaN, so that a value left by the block before cannot pass for a right one.
void poison_shared_memory(const Launch& launch) {
  const KernelInfo& kernel = *launch.kernel;
  for (const SharedRange& range : kernel.to_poison) {
    memset(tls_address(kernel.tls_module, range.offset), 0xff, range.size);
  }
  if (kernel.dynamic_shared >= 0 && launch.shared_bytes > 0) {
    memset(tls_address(kernel.tls_module, kernel.dynamic_shared), 0xff, launch.shared_bytes);
  }
}

}  // namespace

BlockRunner* BlockRunner::current() { return current_runner; }

bool BlockRunner::is_built_in_variable(uintptr_t address) {
  const auto inside = [address](const uint3& variable) {
    return address - reinterpret_cast<uintptr_t>(&variable) < sizeof(variable);
  };
  return inside(thread_index) || inside(block_index) || inside(block_dim) || inside(grid_dim);
}

bool BlockRunner::run(const Launch& launch, uint3 block_index, Fault* fault) {
  launch_ = &launch;
  block_index_ = block_index;
  fault_ = fault;
  failed_ = false;
  memory_fault_ = {};
  live_ = launch.threads;
  runnable_.fill(launch.threads);
  at_barrier_.clear();
  arrived_ = 0;
  other_sites_.clear();
  predicates_true_ = 0;
  for (unsigned turn = 0; turn < launch.threads; ++turn) {
    turn_of_[launch.order[turn]] = static_cast<uint16_t>(turn);
    context_of_turn_[turn] = nullptr;
  }
  for (unsigned warp = 0; warp * kWarpSize < launch.threads; ++warp) {
    const unsigned lanes = launch.threads - warp * kWarpSize;
    warps_[warp] = {lanes >= kWarpSize ? ~0u : (1u << lanes) - 1, 0};
  }
  ::block_index = block_index;
  ::block_dim = launch.block;
  ::grid_dim = launch.grid;
  poison_shared_memory(launch);
  if (Checker::enabled()) Checker::instance().begin_block();

  current_runner = this;
  resume(0, &main_);
  current_runner = nullptr;
  if (Checker::enabled()) Checker::instance().end_block();

  if (failed_) {
    if (memory_fault_.signal != 0) tell_memory_fault();
    discard_fibers();
  }
  return !failed_;
}

// The fiber on which the thread of a turn that has not started yet shall run.
BlockRunner::Context BlockRunner::idle_fiber(unsigned turn) {
  if (idle_.empty()) {
    fibers_.push_back(std::make_unique<Fiber>(static_cast<unsigned>(fibers_.size())));
    idle_.push_back(fibers_.back().get());
    reset(fibers_.back().get());
  }
  Fiber* const fiber = idle_.back();
  idle_.pop_back();
  fiber_of_turn_[turn] = fiber;
  return fiber->context;
}

void BlockRunner::reset(Fiber* fiber) {
  fiber->context = boost::context::detail::make_fcontext(
      fiber->stack.top(), fiber->stack.size(), &BlockRunner::fiber_main);
}

// After a fault the fibers stand in the middle of threads that will never go on.
void BlockRunner::discard_fibers() {
  idle_.clear();
  for (const auto& fiber : fibers_) {
    reset(fiber.get());
    idle_.push_back(fiber.get());
  }
}

void BlockRunner::fiber_main(Transfer) { current_runner->run_threads(); }

void BlockRunner::run_threads() {
  for (;;) {
    launch_->kernel->invoke(launch_->args);
    finish_thread();
  }
}

// Runs on the stack that is switched to, before its thread goes on: puts away the context of the one that has left.
BlockRunner::Transfer BlockRunner::keep_context(Transfer from) {
  *static_cast<Context*>(from.data) = from.fctx;
  return from;
}

// Switches to another context and keeps the caller's in *save. As the last call of a function this leaves by a jump and
// comes back by keep_context's return, so calls and returns stay paired and the processor predicts them; jump_fcontext
// comes back by a jump, and the return after it is mispredicted every time (16 against 7.5 ns per barrier and thread).
inline void BlockRunner::jump(Context to, Context* save) {
  boost::context::detail::ontop_fcontext(to, save, &BlockRunner::keep_context);
}

inline void BlockRunner::set_current(unsigned turn) {
  current_ = turn;
  ++switches_;
  ::thread_index = launch_->thread_ids[turn];
  if (fast_path != nullptr) Checker::instance().runs(launch_->order[turn]);
}

// Lets the thread of a turn run; the caller's context goes to *save.
inline void BlockRunner::resume(unsigned turn, Context* save) {
  Context to = context_of_turn_[turn];
  if (to == nullptr) to = idle_fiber(turn);
  set_current(turn);
  jump(to, save);
}

inline unsigned BlockRunner::next_turn() {
  // Mostly the neighbour's turn. Asked first, as a branch that the processor can predict: going through the bits
  // makes every switch wait for the one before it.
  const unsigned neighbour = current_ + 1;
  if (neighbour < kMaxThreads && runnable_.contains(neighbour) &&
      !at_barrier_.contains(neighbour)) {
    return neighbour;
  }
  const int next = runnable_.next_after(current_, at_barrier_);
  return next >= 0 ? static_cast<unsigned>(next) : next_turn_when_none_can_run();
}

unsigned BlockRunner::next_turn_when_none_can_run() {
  if (!resolve_active_masks()) fail_stuck();
  return static_cast<unsigned>(runnable_.next_after(current_, at_barrier_));
}

// The running thread has returned. Comes back when this fiber shall run another thread, now the current one.
void BlockRunner::finish_thread() {
  Fiber* const fiber = fiber_of_turn_[current_];
  const unsigned linear = linear_id();
  Warp& warp = warps_[linear / kWarpSize];
  warp.live &= ~(1u << linear % kWarpSize);
  runnable_.remove(current_);
  --live_;
  if (live_ == 0) {
    idle_.push_back(fiber);
    jump(main_, &fiber->context);
    return;
  }
  if (arrived_ > 0 && arrived_ == live_) release_barrier();
  if (warp.waiting != 0) retry_waiting_lanes(linear / kWarpSize);
  const unsigned next = next_turn();
  if (context_of_turn_[next] == nullptr) {
    set_current(next);
    fiber_of_turn_[next] = fiber;
    return;
  }
  idle_.push_back(fiber);
  resume(next, &fiber->context);
}

// Lets the next thread run. Comes back when it is the caller's turn again.
inline void BlockRunner::switch_to_next() {
  const unsigned next = next_turn();
  if (next != current_) resume(next, &context_of_turn_[current_]);
}

void BlockRunner::wait() {
  runnable_.remove(current_);
  switch_to_next();
}

// The hot path of every kernel with barriers: the neighbour has waited before and can go on. It calls nothing but the
// switch and keeps nothing across it, so no registers are saved: with 128 threads the stacks' few bytes that are
// touched here already fill the first-level cache.
inline void BlockRunner::arrive(const char* file, int line) {
  const unsigned next = current_ + 1;
  const bool usual = line == barrier_site_.line && file == barrier_site_.file &&
                     arrived_ + 1 != live_ && next < kMaxThreads && runnable_.contains(next) &&
                     !at_barrier_.contains(next) && context_of_turn_[next] != nullptr;
  if (!usual) return arrive_unusually(file, line);
  at_barrier_.add(current_);
  ++arrived_;
  Context* const save = &context_of_turn_[current_];
  set_current(next);
  jump(context_of_turn_[next], save);
}

void BlockRunner::arrive_unusually(const char* file, int line) {
  if (line != barrier_site_.line || file != barrier_site_.file) note_site(file, line);
  at_barrier_.add(current_);
  if (++arrived_ == live_) return release_barrier();
  switch_to_next();
}

int BlockRunner::barrier(cpuDeviceBarrierOp op, int predicate, const char* file, int line) {
  predicates_true_ += predicate != 0;
  const BarrierResult& result = barrier_result_[generation_ & 1];
  arrive(file, line);
  switch (op) {
    case cpuDeviceBarrierCount:
      return result.true_predicates;
    case cpuDeviceBarrierAnd:
      return result.true_predicates == result.threads;
    case cpuDeviceBarrierOr:
      break;
  }
  return result.true_predicates != 0;
}

void BlockRunner::note_site(const char* file, int line) {
  if (arrived_ == 0) {
    barrier_site_ = {file, line};
    return;
  }
  // The same line of a header has a name of its own in each program that includes it.
  if (line == barrier_site_.line && strcmp(file, barrier_site_.file) == 0) return;
  other_sites_[current_] = {file, line};
}

// All live threads have arrived: lets them go on.
void BlockRunner::release_barrier() {
  if (!other_sites_.empty()) fail_stuck();
  barrier_result_[generation_ & 1] = {predicates_true_, static_cast<int>(arrived_)};
  ++generation_;
  if (Checker::enabled()) {
    Checker::instance().barrier_passed(
        launch_->threads - live_, barrier_site_.file, barrier_site_.line);
  }
  predicates_true_ = 0;
  arrived_ = 0;
  at_barrier_.clear();
}

void BlockRunner::poll() {
  constexpr unsigned kPollsPerYield = 256;
  if (++polls_ >= kPollsPerYield) yield();
}

void BlockRunner::yield() {
  polls_ = 0;
  switch_to_next();
}

void BlockRunner::run_instead(unsigned linear) {
  resume(turn_of_[linear], &context_of_turn_[current_]);
}

void BlockRunner::fail(cudaError_t error, const std::string& what, const std::string& where) {
  fault_->error = error;
  fault_->text = what + "\n";
  if (!where.empty()) fault_->text += "  at " + where + "\n";
  fault_->text += "  thread " + thread_name(current_) + " of block " + to_string(block_index_) +
                  ", kernel " + launch_->kernel->name + "\n";
  leave();
}

void BlockRunner::fail_from_signal(
    int signal, bool kernel_sent, uintptr_t address, uintptr_t code) {
  memory_fault_ = {
      signal, kernel_sent, address, code, fiber_of_turn_[current_]->stack.is_guard(address)};
  leave();
}

// Gives the block up: back to run(), never to return here.
void BlockRunner::leave() {
  failed_ = true;
  Context abandoned;
  boost::context::detail::jump_fcontext(main_, &abandoned);
  __builtin_unreachable();
}

}  // namespace cpu_device

using cpu_device::BlockRunner;

extern "C" {

bool cpuDeviceInKernel(void) { return cpu_device::current_runner != nullptr; }

void cpuDeviceSyncThreads(const char* file, int line) {
  cpu_device::current_runner->sync_threads(file, line);
}

int cpuDeviceBarrier(enum cpuDeviceBarrierOp op, int predicate, const char* file, int line) {
  return cpu_device::current_runner->barrier(op, predicate, file, line);
}

struct cpuDeviceWarpResult cpuDeviceWarp(
    enum cpuDeviceWarpOp op, uint32_t mask, uint64_t bits, int argument, int width,
    const char* file, int line) {
  return cpu_device::current_runner->warp_operation(op, mask, bits, argument, width, file, line);
}

uint32_t cpuDeviceLane(void) { return cpu_device::current_runner->lane(); }

void cpuDevicePoll(void) {
  if (cpu_device::current_runner != nullptr) cpu_device::current_runner->poll();
}

void cpuDeviceYield(void) {
  if (cpu_device::current_runner != nullptr) cpu_device::current_runner->yield();
}

void cpuDeviceTrap(const char* file, int line) {
  cpu_device::current_runner->fail(
      cudaErrorLaunchFailure, "__trap() was called",
      std::string(file) + ":" + std::to_string(line));
}

}  // extern "C"
