// Gives every thread of a block a share of its CPU thread even while another one polls memory in a loop without calling
// anything: GPUs since compute capability 7.0 promise that, and spin-wait kernels rely on it.
#pragma once

#include <atomic>

#include "block.h"

namespace cpu_device {

// While it lives, a watchdog interrupts the calling thread when its block has not switched threads for a while; the
// interrupted thread then yields, if it is executing code of the kernel's own program or library. Once `stop` is set
// (another block has faulted) the interrupted block is given up instead: it may wait for the faulted one for ever. The
// watchdog sets it itself when launches are interrupted.
class PreemptionScope {
 public:
  PreemptionScope(BlockRunner& runner, std::atomic<bool>& stop);
  ~PreemptionScope();
  PreemptionScope(const PreemptionScope&) = delete;
  PreemptionScope& operator=(const PreemptionScope&) = delete;

 private:
  int slot_;
};

// cpuDeviceInterrupt(), which a signal handler may call.
void interrupt_launches(bool on);
bool launches_interrupted();

}  // namespace cpu_device
