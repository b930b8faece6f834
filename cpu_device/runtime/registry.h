// Kernels and device variables of the loaded programs and libraries, as their static initialisers announced them.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

#include "cuda_runtime_api.h"
#include "device.h"

namespace cpu_device {

// A part of a module's thread-local segment that holds a __shared__ variable.
struct SharedRange {
  size_t offset;
  size_t size;
};

struct KernelInfo {
  const void* func;
  void (*invoke)(void** args);
  unsigned max_threads = kMaxThreadsPerBlock;  // per block
  std::string name;                            // demangled, with its parameter types
  size_t static_shared = 0;  // bytes of __shared__ variables declared in the kernel's own body
  int max_dynamic_shared = 0;
  uintptr_t image_begin = 0, image_end = 0;  // all of that program or library
  uintptr_t code_begin = 0,
            code_end = 0;  // executable segment of the program or library that holds it
  size_t tls_module = 0;   // of the program or library that holds it
  // Where the module's buffer for extern __shared__ arrays lies in its thread-local segment; -1: there is none.
  ptrdiff_t dynamic_shared = -1;
  std::vector<SharedRange> to_poison;  // all __shared__ variables of that module
};

struct DeviceVariable {
  uintptr_t begin;
  size_t size;
  const char* name;  // a literal of the program or library
  bool constant;
};

// Null when the address is not a registered kernel. The pointer stays valid; the module's symbol table is read on
// the first call for a kernel.
KernelInfo* find_kernel(const void* func);
std::vector<DeviceVariable> device_variables();
// The variable that contains an address, or null.
const DeviceVariable* find_variable(const void* address);

}  // namespace cpu_device
