// threadIdx and its siblings, block barriers, fences and the other things a thread does on its own.
#pragma once

#include <stddef.h>

#include "../vector_types.h"

namespace cpu_device {
// What blockDim and gridDim are: dim3 without a constructor, so that the compiler takes them for constants.
struct BuiltinDim {
  unsigned int x, y, z;
  operator dim3() const { return dim3(x, y, z); }
};
}  // namespace cpu_device

// Constant for as long as a thread lives, hence const here: reads are not accesses of the program.
// The runtime sets them whenever it switches threads.
extern __thread const uint3 threadIdx;
extern __thread const uint3 blockIdx;
extern __thread const cpu_device::BuiltinDim blockDim;
extern __thread const cpu_device::BuiltinDim gridDim;
constexpr int warpSize = 32;

extern "C" {
enum cpuDeviceBarrierOp { cpuDeviceBarrierCount, cpuDeviceBarrierAnd, cpuDeviceBarrierOr };
// Waits for all live threads of the block; file and line name the call for messages.
void cpuDeviceSyncThreads(const char* file, int line);
// The same, with a predicate of each thread: how many are true, whether all are, whether any is.
int cpuDeviceBarrier(enum cpuDeviceBarrierOp op, int predicate, const char* file, int line);
// Lets other threads of the block run now and then; called by atomics and fences so that polling makes progress.
void cpuDevicePoll(void);
void cpuDeviceYield(void);
[[noreturn]] void cpuDeviceTrap(const char* file, int line);
long long cpuDeviceClock(void);
}

inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  cpuDeviceSyncThreads(file, line);
}
inline int __syncthreads_count(
    int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return cpuDeviceBarrier(cpuDeviceBarrierCount, predicate, file, line);
}
inline int __syncthreads_and(
    int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return cpuDeviceBarrier(cpuDeviceBarrierAnd, predicate, file, line);
}
inline int __syncthreads_or(
    int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return cpuDeviceBarrier(cpuDeviceBarrierOr, predicate, file, line);
}

inline void __threadfence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  cpuDevicePoll();
}
inline void __threadfence_block() { __threadfence(); }
inline void __threadfence_system() { __threadfence(); }
inline void __nanosleep(unsigned int) { cpuDeviceYield(); }
inline long long clock64() { return cpuDeviceClock(); }
[[noreturn]] inline void __trap(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  cpuDeviceTrap(file, line);
}
inline void __brkpt() {}
inline void __prof_trigger(int) {}
