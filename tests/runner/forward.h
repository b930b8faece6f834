// Calls the definition of a function that an interposed one hides.
#pragma once

#include <cuda_runtime.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace runner {

inline void* find_next(const char* name) {
  void* const symbol = dlsym(RTLD_NEXT, name);
  if (symbol == nullptr) {
    std::fprintf(stderr, "runner: the device library has no function %s\n", name);
    std::abort();
  }
  return symbol;
}

// The argument types are those of the hidden function, because they are its interposer's own parameters.
template <typename... Args>
cudaError_t call_next(void* next, Args... args) {
  return reinterpret_cast<cudaError_t (*)(Args...)>(next)(args...);
}

template <typename... Args>
void call_next_void(void* next, Args... args) {
  reinterpret_cast<void (*)(Args...)>(next)(args...);
}

}  // namespace runner

#define CALL_NEXT_VOID(name, ...)                              \
  [&] {                                                        \
    static void* const next = ::runner::find_next(#name);      \
    ::runner::call_next_void(next __VA_OPT__(, ) __VA_ARGS__); \
  }()

#define CALL_NEXT(name, ...)                              \
  [&] {                                                   \
    static void* const next = ::runner::find_next(#name); \
    return ::runner::call_next(next, __VA_ARGS__);        \
  }()
