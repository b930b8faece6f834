// printf as kernels have it: it returns the number of arguments, not of characters. Host code gets the C library's.
#pragma once

#include <stdio.h>

extern "C" bool cpuDeviceInKernel(void);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
template <class... A>
inline int printf(const char* format, A... arguments) {
  constexpr int (*c_printf)(const char*, ...) = ::printf;
  const int characters = c_printf(format, arguments...);
  if (!cpuDeviceInKernel()) return characters;
  return characters < 0 ? -1 : static_cast<int>(sizeof...(arguments));
}
#pragma GCC diagnostic pop
