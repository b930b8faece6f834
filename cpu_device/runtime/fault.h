// What stops a launch: faults of the program, told in words, and the signal handler that turns memory faults into them.
#pragma once

#include <stdint.h>

#include <string>

#include "cuda_runtime_api.h"

namespace cpu_device {

struct Fault {
  cudaError_t error = cudaSuccess;
  std::string text;
};

// Installs handlers for SIGSEGV, SIGBUS and SIGFPE, once. A signal outside a kernel goes to the handler that was there.
void install_fault_handlers();
// Gives the calling thread a stack of its own for signal handlers.
void use_alternate_signal_stack();

// Plain words for an address that a kernel must not touch: null, freed, past an allocation, unmapped.
std::string describe_address(uintptr_t address);

}  // namespace cpu_device
