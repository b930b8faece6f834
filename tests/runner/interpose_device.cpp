// The CPU device's own switches, out of reach of the library: what it counts and finds is not for the library to
// forget.
#include <cpu_device.h>

#include "forward.h"
#include "meter.h"

extern "C" {

void cpuDeviceSetCounting(int on) {
  if (runner::Bypass::active()) CALL_NEXT_VOID(cpuDeviceSetCounting, on);
}

void cpuDeviceClearCounters() {
  if (runner::Bypass::active()) CALL_NEXT_VOID(cpuDeviceClearCounters);
}

void cpuDeviceClearFindings() {
  if (runner::Bypass::active()) CALL_NEXT_VOID(cpuDeviceClearFindings);
}

}  // extern "C"
