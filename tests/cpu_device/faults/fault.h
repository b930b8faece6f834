// Checks shared by the faulty programs: a launch must end with a given error, which stays, and
// with a report that names the place and the threads.
#pragma once

#include <cuda_runtime.h>

#include <initializer_list>
#include <string>

#ifdef CPU_DEVICE
#include <cpu_device.h>
#endif

#include "../programs/check.h"

// "name.cu:line", as the report must have it.
inline std::string fault_site(const char* path, int line) {
  const std::string file(path);
  return file.substr(file.find_last_of('/') + 1) + ":" + std::to_string(line);
}

// Waits for the faulty kernel; its error must arrive at the latest now, and stay.
inline void check_fault(
    const char* file, int line, cudaError_t error, std::initializer_list<std::string> in_report) {
  check_cuda(file, line, "cudaDeviceSynchronize()", cudaDeviceSynchronize(), error);
  check_cuda(file, line, "cudaGetLastError()", cudaGetLastError(), error);
  check_cuda(file, line, "cudaGetLastError() once more", cudaGetLastError(), error);
#ifdef CPU_DEVICE
  const std::string report = cpuDeviceLastReport();
  for (const std::string& text : in_report) {
    if (report.find(text) == std::string::npos) {
      check_failed(file, line, "the report does not say \"" + text + "\":\n" + report);
    }
  }
#else
  (void)in_report;
#endif
}

#define CHECK_FAULT(error, ...) check_fault(__FILE__, __LINE__, (error), {__VA_ARGS__})
#define SITE(line) fault_site(__FILE__, (line))
