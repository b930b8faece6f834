// The counters of the last launch, for the programs of this folder.
#pragma once

#include <cpu_device.h>

#include "../device_vector.h"

inline const cpuDeviceCounters& last_launch() {
  size_t count = 0;
  const cpuDeviceLaunch* const launches = cpuDeviceLaunches(&count);
  static const cpuDeviceCounters none = {};
  return count == 0 ? none : launches[count - 1].counters;
}
