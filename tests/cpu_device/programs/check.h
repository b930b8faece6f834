// Checks shared by the programs of this folder: each mismatch prints one line, check_result() is
// the exit status.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <type_traits>
#include <vector>

#ifdef CPU_DEVICE
#include <cpu_device.h>
#endif

// Before main(): on the CPU device CHECK_SCHEDULE=reverse or random changes the order of warps and
// blocks; on a machine without a GPU the CUDA build of a program is skipped.
inline const bool check_device_ready = [] {
#ifdef CPU_DEVICE
  if (const char* const schedule = std::getenv("CHECK_SCHEDULE")) {
    const bool random = std::string(schedule) == "random";
    cpuDeviceSetSchedule(random ? cpuDeviceScheduleRandom : cpuDeviceScheduleReverse, 20240229);
  }
#else
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
    std::printf("no GPU: not run\n");
    std::exit(77);
  }
#endif
  return true;
}();

inline int& check_failures() {
  static int failures = 0;
  return failures;
}

inline void check_failed(const char* file, int line, const std::string& what) {
  constexpr int kShown = 20;  // a broken kernel fails for every element: the first ones are enough
  if (++check_failures() <= kShown) {
    std::printf("%s:%d: %s\n", file, line, what.c_str());
  }
}

inline int check_result() {
  if (check_failures() == 0) return 0;
  std::printf("%d checks failed\n", check_failures());
  return 1;
}

template <typename T>
std::string check_text(const T& value) {
  if constexpr (std::is_floating_point_v<T>) {
    char text[40];
    std::snprintf(text, sizeof text, "%.17g", static_cast<double>(value));
    return text;
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<long long>(value));
  } else if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_pointer_v<T>) {
    char text[40];
    std::snprintf(text, sizeof text, "%p", (const volatile void*)value);
    return text;
  } else {
    return std::string(value);
  }
}

template <typename Seen, typename Expected>
void check_equal(
    const char* file, int line, const char* what, const Seen& seen, const Expected& expected) {
  if (seen == expected) return;
  check_failed(
      file, line,
      std::string(what) + " is " + check_text(seen) + ", expected " + check_text(expected));
}

inline void check_near(
    const char* file, int line, const char* what, double seen, double expected, double bound) {
  if (std::fabs(seen - expected) <= bound || seen == expected) return;  // false for NaN
  char text[256];
  std::snprintf(
      text, sizeof text, "%.120s is %.9g, expected %.9g within %.3g", what, seen, expected, bound);
  check_failed(file, line, text);
}

inline void check_cuda(
    const char* file, int line, const char* call, cudaError_t seen, cudaError_t expected) {
  if (seen == expected) return;
  check_failed(
      file, line,
      std::string(call) + " returned " + cudaGetErrorName(seen) + " (" + cudaGetErrorString(seen) +
          "), expected " + cudaGetErrorName(expected));
}

#define CHECK(condition) \
  ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, "false: " #condition))
#define CHECK_EQ(seen, expected) check_equal(__FILE__, __LINE__, #seen, (seen), (expected))
#define CHECK_NEAR(seen, expected, bound) \
  check_near(__FILE__, __LINE__, #seen, (seen), (expected), (bound))
#define CHECK_CUDA(call) check_cuda(__FILE__, __LINE__, #call, (call), cudaSuccess)
#define CHECK_ERROR(call, error) check_cuda(__FILE__, __LINE__, #call, (call), (error))

// The state after a launch: no launch error, and no error while the kernel ran.
#define CHECK_LAUNCH()                   \
  do {                                   \
    CHECK_CUDA(cudaGetLastError());      \
    CHECK_CUDA(cudaDeviceSynchronize()); \
  } while (0)

template <typename T>
T* upload(const std::vector<T>& values) {
  T* device = nullptr;
  CHECK_CUDA(cudaMalloc(&device, values.size() * sizeof(T)));
  CHECK_CUDA(cudaMemcpy(device, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
  return device;
}

template <typename T>
std::vector<T> download(const T* device, size_t count) {
  std::vector<T> values(count);
  CHECK_CUDA(cudaMemcpy(values.data(), device, count * sizeof(T), cudaMemcpyDeviceToHost));
  return values;
}
