// What the checked mode has found: collected while the program runs, reported at its end.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

#include "cpu_device.h"

namespace cpu_device {

enum class Severity { kError = cpuDeviceError, kWarning = cpuDeviceWarning, kNote = cpuDeviceNote };

// A place in the program: a code address, or a file and line where they are known.
struct Place {
  uintptr_t code = 0;  // return address of the access; 0: file and line are given
  const char* file = nullptr;
  int line = 0;
};

// Everything that tells two findings apart, and what a report says about the first of its kind.
struct Finding {
  Severity severity;
  const char* kind;  // "shared-race" and so on
  Place place;       // the access at fault; of a race, the later one
  Place other;       // the earlier access of a race, if any
  std::string kernel, thread, block;
  std::string message;
};

// Counts a finding; true the first time it is seen. Only then is it worth finding words for the rest.
bool count_finding(Severity severity, const char* kind, const Place& place, const Place& other);
// Stores the words for a finding that count_finding has just called new.
void describe_finding(const Finding& finding);

// All of them with their lines looked up, errors first. Valid until the next call, or clear_findings().
const std::vector<cpuDeviceFinding>& findings();
void clear_findings();

// Writes the machine-readable list to the file that the environment variable CPU_DEVICE_FINDINGS names, if it does,
// and the report to standard error. Called at the end of the program.
void report_findings();

}  // namespace cpu_device
