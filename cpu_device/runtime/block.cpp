#include "block.h"

#include <string.h>

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

bool BlockRunner::run(const Launch& launch, uint3 block_index, Fault* fault) {
  launch_ = &launch;
  block_index_ = block_index;
  fault_ = fault;
  failed_ = false;
  memory_fault_ = {};
  live_ = launch.threads;
  runnable_.fill(launch.threads);
  at_barrier_.clear();
  started_.clear();
  arrived_ = 0;
  mixed_sites_ = false;
  predicates_true_ = 0;
  for (unsigned turn = 0; turn < launch.threads; ++turn) {
    turn_of_[launch.order[turn]] = static_cast<uint16_t>(turn);
    waits_[turn].waiting = Waiting::kNothing;
  }
  for (unsigned warp = 0; warp * kWarpSize < launch.threads; ++warp) {
    const unsigned lanes = launch.threads - warp * kWarpSize;
    warps_[warp] = {lanes >= kWarpSize ? ~0u : (1u << lanes) - 1, 0};
  }
  ::block_index = block_index;
  ::block_dim = launch.block;
  ::grid_dim = launch.grid;
  poison_shared_memory(launch);

  current_runner = this;
  Fiber* const first = fiber_for(0);
  set_current(0);
  running_ = first;
  jump(first->context, &main_);
  current_runner = nullptr;

  if (failed_) {
    if (memory_fault_.signal != 0) tell_memory_fault();
    discard_fibers();
  }
  return !failed_;
}

// The fiber on which the thread of a turn that has not started yet shall run.
BlockRunner::Fiber* BlockRunner::fiber_for(unsigned turn) {
  if (idle_.empty()) {
    fibers_.push_back(std::make_unique<Fiber>(static_cast<unsigned>(fibers_.size())));
    idle_.push_back(fibers_.back().get());
    reset(fibers_.back().get());
  }
  Fiber* const fiber = idle_.back();
  idle_.pop_back();
  started_.add(turn);
  fiber_of_turn_[turn] = fiber;
  return fiber;
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

void BlockRunner::fiber_main(Transfer from) {
  *static_cast<Context*>(from.data) = from.fctx;
  current_runner->run_threads();
}

void BlockRunner::run_threads() {
  for (;;) {
    launch_->kernel->invoke(launch_->args);
    finish_thread();
  }
}

// Switches to another context; the one that switches back says where to keep its own.
void BlockRunner::jump(Context to, Context* save) {
  const Transfer from = boost::context::detail::jump_fcontext(to, save);
  *static_cast<Context*>(from.data) = from.fctx;
}

void BlockRunner::set_current(unsigned turn) {
  current_ = turn;
  ++switches_;
  ::thread_index = launch_->thread_ids[launch_->order[turn]];
}

unsigned BlockRunner::next_turn() {
  int next = runnable_.next_after(current_);
  if (next < 0 && resolve_active_masks()) next = runnable_.next_after(current_);
  if (next < 0) fail_stuck();
  return static_cast<unsigned>(next);
}

// The running thread has returned. Comes back when this fiber shall run another thread, now the current one.
void BlockRunner::finish_thread() {
  Fiber* const fiber = running_;
  const unsigned linear = linear_id();
  Warp& warp = warps_[linear / kWarpSize];
  waits_[linear].waiting = Waiting::kReturned;
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
  set_current(next);
  if (!started_.contains(next)) {
    started_.add(next);
    fiber_of_turn_[next] = fiber;
    return;
  }
  idle_.push_back(fiber);
  running_ = fiber_of_turn_[next];
  jump(running_->context, &fiber->context);
}

// Lets the next thread run. Comes back when it is the caller's turn again.
void BlockRunner::switch_to_next() {
  const unsigned next = next_turn();
  if (next == current_) return;
  Fiber* const fiber = running_;
  running_ = started_.contains(next) ? fiber_of_turn_[next] : fiber_for(next);
  set_current(next);
  jump(running_->context, &fiber->context);
}

int BlockRunner::barrier(cpuDeviceBarrierOp op, int predicate, const char* file, int line) {
  Wait& wait = waits_[linear_id()];
  wait.waiting = Waiting::kBarrier;
  wait.file = file;
  wait.line = line;
  if (arrived_ == 0) {
    barrier_file_ = file;
    barrier_line_ = line;
  } else if (line != barrier_line_ || (file != barrier_file_ && strcmp(file, barrier_file_) != 0)) {
    mixed_sites_ = true;
  }
  predicates_true_ += predicate != 0;
  ++arrived_;
  const unsigned parity = generation_ & 1;
  at_barrier_.add(current_);
  if (arrived_ == live_) {
    release_barrier();
  } else {
    runnable_.remove(current_);
    switch_to_next();
  }
  wait.waiting = Waiting::kNothing;
  switch (op) {
    case cpuDeviceBarrierPlain:
      break;
    case cpuDeviceBarrierCount:
      return barrier_result_[parity].true_predicates;
    case cpuDeviceBarrierAnd:
      return barrier_result_[parity].true_predicates == barrier_result_[parity].threads;
    case cpuDeviceBarrierOr:
      return barrier_result_[parity].true_predicates != 0;
  }
  return 0;
}

// All live threads have arrived: lets them go on.
void BlockRunner::release_barrier() {
  if (mixed_sites_) fail_stuck();
  barrier_result_[generation_ & 1] = {predicates_true_, static_cast<int>(arrived_)};
  ++generation_;
  predicates_true_ = 0;
  arrived_ = 0;
  runnable_.take(at_barrier_);
}

void BlockRunner::poll() {
  constexpr unsigned kPollsPerYield = 256;
  if (++polls_ < kPollsPerYield) return;
  yield();
}

void BlockRunner::yield() {
  polls_ = 0;
  switch_to_next();
}

void BlockRunner::fail(cudaError_t error, const std::string& what, const std::string& where) {
  fault_->error = error;
  fault_->text = what + "\n";
  if (!where.empty()) fault_->text += "  at " + where + "\n";
  fault_->text += "  thread " + thread_name(linear_id()) + " of block " + to_string(block_index_) +
                  ", kernel " + launch_->kernel->name + "\n";
  leave();
}

void BlockRunner::fail_from_signal(
    int signal, bool kernel_sent, uintptr_t address, uintptr_t code) {
  memory_fault_ = {signal, kernel_sent, address, code, running_->stack.is_guard(address)};
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
