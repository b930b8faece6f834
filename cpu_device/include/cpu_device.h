/* The CPU device's own interface: settings and facts that a real GPU does not offer.
 * Plain C; safe to call from host code only, between launches. CUDA's API is in cuda_runtime.h. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Order in which the warps of a block start and the blocks of a grid are handed out. A correct program gives
 * right answers under every one of them; a program with a race often does so only under the first. */
enum cpuDeviceSchedule {
  cpuDeviceScheduleForward = 0,
  cpuDeviceScheduleReverse = 1,
  cpuDeviceScheduleRandom = 2
};

/* Number of CPU threads that run blocks, the calling thread included: 1 .. 256. Default: the cores this process may use,
 * or the environment variable CPU_DEVICE_THREADS. Returns the number in force; n <= 0 only asks. */
int cpuDeviceSetThreads(int n);

/* Sets the schedule of later launches; seed is used by cpuDeviceScheduleRandom. */
void cpuDeviceSetSchedule(enum cpuDeviceSchedule kind, unsigned long long seed);

/* Runs only the blocks whose linear index is in [first, first + count) in later launches; count = 0 runs all.
 * For looking at a slice of a grid that would take too long as a whole. */
void cpuDeviceSetBlockSample(unsigned long long first, unsigned long long count);

/* Kernel launches that passed validation since the process started. */
unsigned long long cpuDeviceLaunchCount(void);

/* Bytes of all __device__ and __constant__ variables of the loaded programs and libraries. */
unsigned long long cpuDeviceStaticBytes(void);

/* Tells the checked mode (cucc --check) that kernels must not write to size bytes at ptr, part of one allocation.
 * 1 when it is in force, 0 when the program is not checked or ptr is no device memory. */
int cpuDeviceMarkReadOnly(const void* ptr, size_t size);

/* Writes the checked mode's findings as the end of the program would: for programs that end by _exit(). Does nothing
 * where no checked code is loaded. */
void cpuDeviceReportFindings(void);

/* Text of the fault that stopped the last failing launch (several lines: what, file:line, thread, block), "" if none.
 * Valid until the next launch. */
const char* cpuDeviceLastReport(void);

#ifdef __cplusplus
}
#endif
