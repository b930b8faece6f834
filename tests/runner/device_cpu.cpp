#include <cpu_device.h>

#include "device.h"
#include "meter.h"

namespace runner {
namespace {

using protocol::Accesses;
using protocol::Traffic;

// Applies change(mine, theirs) to every kind of global access.
template <typename Change>
void for_each_kind(Traffic* traffic, const cpuDeviceCounters& counters, Change change) {
  change(&traffic->loads, counters.global_load);
  change(&traffic->stores, counters.global_store);
  change(&traffic->atomics, counters.global_atomic);
}

void add(Accesses* sum, const cpuDeviceAccesses& more) {
  sum->bytes += more.bytes;
  sum->bytes_16 += more.bytes_16;
  sum->sectors += more.sectors;
  sum->requests += more.requests;
}

void subtract(Accesses* sum, const cpuDeviceAccesses& less) {
  sum->bytes -= less.bytes;
  sum->bytes_16 -= less.bytes_16;
  sum->sectors -= less.sectors;
  sum->requests -= less.requests;
}

}  // namespace

bool device_ready(char*, std::size_t) { return true; }

void device_set_schedule(protocol::Schedule schedule, std::uint64_t seed) {
  switch (schedule) {
    case protocol::Schedule::kForward:
      return cpuDeviceSetSchedule(cpuDeviceScheduleForward, seed);
    case protocol::Schedule::kReverse:
      return cpuDeviceSetSchedule(cpuDeviceScheduleReverse, seed);
    case protocol::Schedule::kRandom:
      return cpuDeviceSetSchedule(cpuDeviceScheduleRandom, seed);
  }
}

void device_sample_blocks(std::uint64_t first, std::uint64_t count) {
  cpuDeviceSetBlockSample(first, count);
}

std::uint64_t device_static_bytes() { return cpuDeviceStaticBytes(); }

const char* device_report() { return cpuDeviceLastReport(); }

void device_write_findings() { cpuDeviceReportFindings(); }

void device_reset() {}

void device_begin_counting() {
  const Bypass own;
  cpuDeviceClearCounters();
  cpuDeviceSetCounting(1);
}

bool device_end_counting(void* const base[protocol::kTensors], protocol::Counts* counts) {
  const Bypass own;
  cpuDeviceSetCounting(0);
  *counts = {};
  size_t launches = 0;
  const cpuDeviceLaunch* const launch = cpuDeviceLaunches(&launches);
  for (size_t n = 0; n < launches; ++n) {
    const cpuDeviceCounters& counters = launch[n].counters;
    for_each_kind(&counts->other, counters, add);
    // An atomic loads and stores.
    counts->shared_load_bytes += counters.shared_load.bytes + counters.shared_atomic.bytes;
    counts->shared_store_bytes += counters.shared_store.bytes + counters.shared_atomic.bytes;
    counts->shared_load_wavefronts += counters.shared_load.wavefronts;
    counts->shared_store_wavefronts += counters.shared_store.wavefronts;
    counts->barriers += counters.barriers;
    counts->shuffles += counters.shuffles;
    counts->exp_calls += counters.exp_calls;
    counts->launches += launch[n].launches;
  }
  bool counted = true;
  for (int t = 0; t < protocol::kTensors; ++t) {
    cpuDeviceCounters counters{};
    if (base[t] == nullptr) continue;
    counted = counted && cpuDeviceTraffic(base[t], &counters) != 0;
    for_each_kind(&counts->tensor[t], counters, add);
    for_each_kind(&counts->other, counters, subtract);
  }
  return counted;
}

}  // namespace runner
