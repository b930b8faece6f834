#include <cpu_device.h>

#include "device.h"

namespace runner {

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

}  // namespace runner
