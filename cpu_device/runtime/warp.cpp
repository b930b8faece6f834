// Warp operations of a BlockRunner: lanes wait until all lanes that the mask names have come, then all get their results.
#include <bit>

#include "block.h"
#include "checker.h"
#include "counters.h"

namespace cpu_device {
namespace {

constexpr uint64_t kUndefined = ~uint64_t{0};  // NaN as a float, -1 as an integer

const char* name_of(cpuDeviceWarpOp op) {
  switch (op) {
    case cpuDeviceWarpSync:
      return "__syncwarp";
    case cpuDeviceWarpShuffle:
      return "__shfl_sync";
    case cpuDeviceWarpShuffleUp:
      return "__shfl_up_sync";
    case cpuDeviceWarpShuffleDown:
      return "__shfl_down_sync";
    case cpuDeviceWarpShuffleXor:
      return "__shfl_xor_sync";
    case cpuDeviceWarpBallot:
      return "a warp vote";
    case cpuDeviceWarpMatchAny:
      return "__match_any_sync";
    case cpuDeviceWarpMatchAll:
      return "__match_all_sync";
    case cpuDeviceWarpActive:
      return "__activemask";
  }
  return "a warp operation";
}

// The lane whose value a shuffle gives to `lane`; the lane itself where the source lies outside its segment.
unsigned source_lane(cpuDeviceWarpOp op, unsigned lane, int argument, int width) {
  const int own = static_cast<int>(lane);
  const int segment = own & ~(width - 1);
  switch (op) {
    case cpuDeviceWarpShuffle:
      return static_cast<unsigned>(segment + (argument & (width - 1)));
    case cpuDeviceWarpShuffleUp:
      return static_cast<unsigned>(own - argument >= segment ? own - argument : own);
    case cpuDeviceWarpShuffleDown:
      return static_cast<unsigned>(
          argument < width && own + argument < segment + width ? own + argument : own);
    case cpuDeviceWarpShuffleXor:
      return static_cast<unsigned>((own ^ argument) < segment + width ? own ^ argument : own);
    default:
      return lane;
  }
}

std::string hex(uint32_t mask) {
  char text[16];
  snprintf(text, sizeof text, "0x%08x", mask);
  return text;
}

}  // namespace

std::string describe_warp_wait(cpuDeviceWarpOp op, uint32_t mask) {
  std::string text = name_of(op);
  if (op != cpuDeviceWarpActive) text += " with mask " + hex(mask);
  return text;
}

cpuDeviceWarpResult BlockRunner::warp_operation(
    cpuDeviceWarpOp op, uint32_t mask, uint64_t bits, int argument, int width, const char* file,
    int line) {
  const unsigned linear = linear_id();
  const unsigned warp = linear / kWarpSize;
  const uint32_t own_bit = 1u << linear % kWarpSize;
  const bool active_mask = op == cpuDeviceWarpActive;
  if (!active_mask && (mask & own_bit) == 0) {
    if (Checker::enabled()) {
      Checker::instance().fault(
          *this, "warp-mask", file, line, "the mask does not name the lane that calls");
    }
    fail(
        cudaErrorLaunchFailure,
        std::string(name_of(op)) + " was called by lane " + std::to_string(linear % kWarpSize) +
            ", which its mask " + hex(mask) + " does not name",
        std::string(file) + ":" + std::to_string(line));
  }
  if (!std::has_single_bit(static_cast<unsigned>(width)) || width > static_cast<int>(kWarpSize)) {
    fail(
        cudaErrorLaunchFailure,
        std::string(name_of(op)) + " was called with width " + std::to_string(width) +
            ": it must be a power of two, at most 32",
        std::string(file) + ":" + std::to_string(line));
  }
  Wait& wait = waits_[linear];
  wait = {file, line, op, mask, bits, argument, width, {}};
  warps_[warp].waiting |= own_bit;
  if (active_mask || !complete_warp_operation(warp, mask)) this->wait();
  return wait.result;
}

// If all live lanes of the mask wait for the same operation with the same mask, computes their results and lets them
// go on.
bool BlockRunner::complete_warp_operation(unsigned warp, uint32_t mask) {
  const uint32_t lanes = mask & warps_[warp].live;
  if ((warps_[warp].waiting & lanes) != lanes) return false;
  Wait* const waits = &waits_[warp * kWarpSize];
  const cpuDeviceWarpOp op = waits[std::countr_zero(lanes)].warp_op;
  uint32_t ballot = 0;
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const int lane = std::countr_zero(rest);
    if (waits[lane].warp_op != op || waits[lane].mask != mask) return false;
    if (waits[lane].bits != 0) ballot |= 1u << lane;
  }
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const unsigned lane = static_cast<unsigned>(std::countr_zero(rest));
    Wait& wait = waits[lane];
    uint32_t same = 0;
    switch (op) {
      case cpuDeviceWarpSync:
      case cpuDeviceWarpActive:
        break;
      case cpuDeviceWarpShuffle:
      case cpuDeviceWarpShuffleUp:
      case cpuDeviceWarpShuffleDown:
      case cpuDeviceWarpShuffleXor: {
        const unsigned source = source_lane(op, lane, wait.argument, wait.width);
        const bool defined = source < kWarpSize && (lanes >> source & 1u) != 0;
        wait.result.bits = defined ? waits[source].bits : kUndefined;
        break;
      }
      case cpuDeviceWarpBallot:
        wait.result.bits = ballot;
        break;
      case cpuDeviceWarpMatchAny:
      case cpuDeviceWarpMatchAll:
        for (uint32_t others = lanes; others != 0; others &= others - 1) {
          const int other = std::countr_zero(others);
          if (waits[other].bits == wait.bits) same |= 1u << other;
        }
        wait.result.bits = op == cpuDeviceWarpMatchAny || same == lanes ? same : 0;
        break;
    }
    wait.result.lanes = lanes;
  }
  finish_lanes(warp, lanes);
  return true;
}

void BlockRunner::finish_lanes(unsigned warp, uint32_t lanes) {
  if (Checker::enabled()) {
    Checker::instance().warp_synchronised(warp, linear_id());
    Counters& counters = Counters::instance();
    if (counters.counting()) {
      const Wait& wait = waits_[warp * kWarpSize + static_cast<unsigned>(std::countr_zero(lanes))];
      counters.warp_function(wait.warp_op, wait.file, wait.line);
      if (lanes == warps_[warp].live) counters.warp_together(warp);
    }
  }
  warps_[warp].waiting &= ~lanes;
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const unsigned linear = warp * kWarpSize + static_cast<unsigned>(std::countr_zero(rest));
    runnable_.add(turn_of_[linear]);
  }
}

// A lane has returned: operations that named it need not wait for it any longer.
void BlockRunner::retry_waiting_lanes(unsigned warp) {
  for (uint32_t rest = warps_[warp].waiting; rest != 0; rest &= rest - 1) {
    const unsigned lane = static_cast<unsigned>(std::countr_zero(rest));
    const Wait& wait = waits_[warp * kWarpSize + lane];
    // An earlier turn of this loop may have let the lane go on already.
    const bool waiting = (warps_[warp].waiting >> lane & 1u) != 0;
    if (waiting && wait.warp_op != cpuDeviceWarpActive) complete_warp_operation(warp, wait.mask);
  }
}

// No thread can run. Lanes inside __activemask() have waited for the lanes that would join them: those that stand at
// the same call are the active ones.
bool BlockRunner::resolve_active_masks() {
  bool resolved = false;
  for (unsigned warp = 0; warp * kWarpSize < launch_->threads; ++warp) {
    Wait* const waits = &waits_[warp * kWarpSize];
    for (uint32_t rest = warps_[warp].waiting; rest != 0;) {
      const int first = std::countr_zero(rest);
      uint32_t group = 0;
      for (uint32_t others = rest; others != 0; others &= others - 1) {
        const int other = std::countr_zero(others);
        if (waits[other].warp_op == waits[first].warp_op &&
            waits[other].line == waits[first].line) {
          group |= 1u << other;
        }
      }
      rest &= ~group;
      if (waits[first].warp_op != cpuDeviceWarpActive) continue;
      for (uint32_t lanes = group; lanes != 0; lanes &= lanes - 1) {
        waits[std::countr_zero(lanes)].result.lanes = group;
      }
      finish_lanes(warp, group);
      resolved = true;
    }
  }
  return resolved;
}

}  // namespace cpu_device
