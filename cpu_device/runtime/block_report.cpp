// How a BlockRunner tells its faults: who waits where, and what a bad address was.
#include <signal.h>

#include <map>

#include "block.h"
#include "checker.h"
#include "module.h"

namespace cpu_device {

std::string describe_warp_wait(cpuDeviceWarpOp op, uint32_t mask);

std::string to_string(uint3 index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," +
         std::to_string(index.z) + ")";
}

std::string BlockRunner::thread_name(unsigned turn) const {
  return to_string(launch_->thread_ids[turn]);
}

std::string BlockRunner::thread_names(const std::vector<unsigned>& turns) const {
  constexpr size_t kShown = 8;
  std::string text;
  for (size_t i = 0; i < turns.size() && i < kShown; ++i) text += " " + thread_name(turns[i]);
  if (turns.size() > kShown) text += " and " + std::to_string(turns.size() - kShown) + " more";
  return text;
}

// Every live thread waits, and nothing can let any of them go on.
void BlockRunner::fail_stuck() {
  std::map<std::string, std::vector<unsigned>> waiting;
  std::vector<unsigned> returned;
  for (unsigned linear = 0; linear < launch_->threads; ++linear) {
    const unsigned turn = turn_of_[linear];
    const Wait& wait = waits_[linear];
    Site site{wait.file, wait.line};
    std::string what;
    if (at_barrier_.contains(turn)) {
      const auto other = other_sites_.find(turn);
      site = other != other_sites_.end() ? other->second : barrier_site_;
      what = "__syncthreads";
    } else if ((warps_[linear / kWarpSize].live >> linear % kWarpSize & 1u) == 0) {
      returned.push_back(turn);
      continue;
    } else {
      what = describe_warp_wait(wait.warp_op, wait.mask);
    }
    waiting[std::string(site.file) + ":" + std::to_string(site.line) + ": in " + what].push_back(
        turn);
  }
  const bool barriers_only = arrived_ == live_;
  std::string text =
      barriers_only
          ? "divergent barrier: threads of one block wait at different __syncthreads() calls"
          : "deadlock: threads wait for others that can never arrive";
  text += " (a GPU may hang here)\n";
  for (const auto& [where, threads] : waiting) {
    text += "  " + where + ": " + std::to_string(threads.size()) + " of " +
            std::to_string(launch_->threads) + " threads wait:" + thread_names(threads) + "\n";
  }
  if (!returned.empty()) {
    text += "  returned: " + std::to_string(returned.size()) +
            " threads:" + thread_names(returned) + "\n";
  }
  if (Checker::enabled()) check_stuck(barriers_only);
  fault_->error = cudaErrorLaunchTimeout;
  fault_->text =
      text + "  block " + to_string(block_index_) + ", kernel " + launch_->kernel->name + "\n";
  leave();
}

// For the checked mode: which rule the waiting threads have broken, at the place where the first of them waits.
void BlockRunner::check_stuck(bool barriers_only) const {
  if (barriers_only) {
    const Site site = other_sites_.begin()->second;
    Checker::instance().fault(
        *this, "divergent-barrier", site.file, site.line,
        "threads of one block wait at different barriers",
        {0, barrier_site_.file, barrier_site_.line});
    return;
  }
  for (unsigned linear = 0; linear < launch_->threads; ++linear) {
    const Warp& warp = warps_[linear / kWarpSize];
    if ((warp.waiting >> linear % kWarpSize & 1u) == 0) continue;
    const Wait& wait = waits_[linear];
    // Another lane that the mask names and that waits elsewhere.
    Place other;
    bool other_mask = false;
    for (unsigned lane = 0; lane < kWarpSize && other.file == nullptr; ++lane) {
      const Wait& their = waits_[linear / kWarpSize * kWarpSize + lane];
      const bool named = (wait.mask & warp.waiting) >> lane & 1u;
      if (!named || (their.line == wait.line && their.mask == wait.mask)) continue;
      other_mask = their.mask != wait.mask;
      if (their.line != wait.line) other = {0, their.file, their.line};
      if (other_mask) break;
    }
    const uint32_t missing = wait.mask & warp.live & ~warp.waiting;
    const std::string what = describe_warp_wait(wait.warp_op, wait.mask);
    if (missing == 0 && other_mask) {
      Checker::instance().fault(
          *this, "warp-mask", wait.file, wait.line,
          what + ": the lanes that it names call with other masks", other);
    } else {
      Checker::instance().fault(
          *this, "missing-lanes", wait.file, wait.line, what + ": lanes that it names never come",
          other);
    }
    return;
  }
}

void BlockRunner::tell_memory_fault() {
  const MemoryFault& fault = memory_fault_;
  std::string what;
  fault_->error = cudaErrorIllegalAddress;
  if (fault.signal == SIGFPE) {
    fault_->error = cudaErrorLaunchFailure;
    what = "integer division by zero or overflow in a division";
  } else if (fault.stack_guard) {
    fault_->error = cudaErrorLaunchFailure;
    what = "stack overflow: recursion without an end, or local arrays above 256 KiB";
  } else if (fault.kernel_sent) {
    fault_->error = cudaErrorMisalignedAddress;
    if (Checker::enabled()) {
      Checker::instance().fault_at(
          *this, "misaligned", fault.code,
          "access at an address that is not a multiple of its size");
    }
    what = "access to a misaligned or impossible address";
  } else {
    what = "illegal memory access: " + describe_address(fault.address);
  }
  fault_->text = what + "\n";
  const std::string line = source_line(fault.code);
  if (!line.empty()) fault_->text += "  at " + line + "\n";
  fault_->text += "  thread " + thread_name(current_) + " of block " + to_string(block_index_) +
                  ", kernel " + launch_->kernel->name + "\n";
}

}  // namespace cpu_device
