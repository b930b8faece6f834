// Performs a call in a kernel library, and says in Python's terms what came of it.
#pragma once

#include <nanobind/nanobind.h>

#include "call.h"
#include "kernel_library.h"

namespace flash_lessons {

// The results are in the tensors of the call. The dict is what _report.py reads; counters and findings
// are in it for a call that counts.
nanobind::dict perform(const KernelLibrary& library, const Call& call);

}  // namespace flash_lessons
