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

/* on = 1: every launch, the one under way too, is given up with cudaErrorLaunchTimeout, until a call with on = 0. May be
 * called from a signal handler. */
void cpuDeviceInterrupt(int on);

/* Why the environment variable CPU_DEVICE_PROFILE cannot be followed, in one line, or null. A program that uses the device
 * all the same ends with status 2; one that asks first can say it in its own way. Valid until the thread asks again. */
const char* cpuDeviceProfileError(void);

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

/* ---- What the checked mode (cucc --check) has found and counted. ---- */

enum cpuDeviceSeverity { cpuDeviceError = 0, cpuDeviceWarning = 1, cpuDeviceNote = 2 };

/* One finding; the strings live until the next call of cpuDeviceFindings or cpuDeviceClearFindings. */
struct cpuDeviceFinding {
  enum cpuDeviceSeverity severity;
  const char* kind;  /* "shared-race" and so on; the classes are listed in cpu_device/README.md */
  const char* place; /* "/path/file.cu:12", "" if unknown */
  const char* other_place;    /* of the earlier access of a race, else "" */
  unsigned long long count;   /* how often it happened */
  const char* kernel;         /* of the first time; "" for host code */
  const char *thread, *block; /* "(x,y,z)" */
  const char* message;        /* a sentence */
};

/* All findings so far, errors first, with their lines looked up: an array of *count, or null if there are none. */
const struct cpuDeviceFinding* cpuDeviceFindings(size_t* count);
void cpuDeviceClearFindings(void);

/* Accesses of one kind, by ncu's definitions. A request is one instruction of one warp. */
struct cpuDeviceAccesses {
  unsigned long long
      requests; /* l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum and its siblings */
  unsigned long long accesses; /* by single threads */
  unsigned long long bytes;    /* that the threads asked for */
  unsigned long long bytes_16; /* of these, in accesses of 16 bytes */
  unsigned long long sectors;  /* global: 32-byte sectors, l1tex__t_sectors_...; shared: 0 */
  unsigned long long
      wavefronts; /* shared: passes, l1tex__data_pipe_lsu_wavefronts_mem_shared_...; global: 0 */
  unsigned long long
      ideal_wavefronts; /* the same without bank conflicts; the difference is the conflicts */
};

struct cpuDeviceCounters {
  struct cpuDeviceAccesses global_load, global_store, global_atomic;
  struct cpuDeviceAccesses shared_load, shared_store, shared_atomic;
  unsigned long long barriers;   /* passed by a block: __syncthreads and its siblings */
  unsigned long long warp_syncs; /* __syncwarp, one per warp that passed */
  unsigned long long shuffles;   /* __shfl_*_sync, one per warp */
  unsigned long long votes;      /* other warp functions, one per warp */
  unsigned long long exp_calls;  /* exp, exp2, exp10, expm1 and their float forms, one per thread */
};

/* One launch of a kernel, or several alike after the first 4,096. */
struct cpuDeviceLaunch {
  const char* kernel;
  unsigned int grid[3], block[3];
  size_t static_shared, dynamic_shared; /* bytes per block */
  unsigned long long launches;
  unsigned long long bytes_in_use; /* device memory, when the kernel ran */
  struct cpuDeviceCounters counters;
};

/* What one source line did in a launch. */
struct cpuDeviceLine {
  const char* place; /* "/path/file.cu:12", "" if unknown */
  struct cpuDeviceCounters counters;
};

/* Turns counting on or off for later launches of checked programs. Off unless the environment variable
 * CPU_DEVICE_COUNTERS names a file, to which everything is written as JSON when the program ends, or
 * CPU_DEVICE_COUNTER_TABLE is set, which prints a table then. */
void cpuDeviceSetCounting(int on);
/* The launches counted since the last cpuDeviceClearCounters, oldest first: an array of *count. Strings and arrays live
 * until the next launch or cpuDeviceClearCounters. */
const struct cpuDeviceLaunch* cpuDeviceLaunches(size_t* count);
/* The lines of one of them, by file and line. */
const struct cpuDeviceLine* cpuDeviceLines(size_t launch, size_t* count);
void cpuDeviceClearCounters(void);
/* What kernels have done to the allocation that holds ptr since the last cpuDeviceClearCounters: only the three global
 * members are set. 1, or 0 when ptr lies in no live allocation of a checked program. */
int cpuDeviceTraffic(const void* ptr, struct cpuDeviceCounters* counters);
/* Device memory in bytes, each allocation rounded up to 256: in use now, and the most since the program began. */
unsigned long long cpuDeviceBytesInUse(void);
unsigned long long cpuDevicePeakBytes(void);

/* Text of the fault that stopped the last failing launch (several lines: what, file:line, thread, block), "" if none.
 * Valid until the next launch. */
const char* cpuDeviceLastReport(void);

#ifdef __cplusplus
}
#endif
