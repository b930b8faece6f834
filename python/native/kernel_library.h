// A kernel library (call.h says what that is) from the side that loads it and calls its functions.
#pragma once

#include <cstdint>
#include <string>

#include "call.h"

namespace flash_lessons {

// It stays loaded until the process ends: arrays may come from it, and work may be under way.
class KernelLibrary {
 public:
  explicit KernelLibrary(const std::string& path);

  // One of the functions at the end of call.h.
  template <typename Function>
  Function* find(const char* name) const {
    return reinterpret_cast<Function*>(symbol(name));
  }

  // flash_lessons_run. It may wait for another thread's call, so the caller does not hold the GIL. Ctrl-C
  // ends a call on the CPU device by the process's first thread, with cudaErrorLaunchTimeout.
  void run(const Call& call, Result* result, FindingCallback on_finding, void* user) const;

  bool is_gpu() const { return is_gpu_; }
  bool has_forward() const { return (functions_ & 1) != 0; }
  bool has_backward() const { return (functions_ & 2) != 0; }
  std::uint64_t static_bytes() const { return static_bytes_; }
  const std::string& path() const { return path_; }

 private:
  void* symbol(const char* name) const;

  std::string path_;
  void* handle_ = nullptr;
  bool is_gpu_ = false;
  int functions_ = 0;
  std::uint64_t static_bytes_ = 0;
};

// Loads the runtime of the CPU device: a library for it finds it by name once it is loaded.
void load_runtime(const std::string& path);

}  // namespace flash_lessons
