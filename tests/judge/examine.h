// Looks at one answer of the runner and throws Failure for the first thing that is wrong with it.
//
// Call them in this order: an output is worth looking at only if the call succeeded, and its values only if nothing
// else was damaged.
#pragma once

#include <vector>

#include "diagnosis.h"
#include "inputs.h"
#include "runner_client.h"
#include "verdict.h"

namespace judge {

// CUDA's numbers for the errors that the judge has to tell apart.
enum CudaError : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kMemoryAllocation = 2,
  kIllegalAddress = 700,
  kLaunchTimeout = 702,
  kAssert = 710,
  kIllegalInstruction = 715,
  kMisalignedAddress = 716,
  kLaunchFailure = 719,
  kNotSupported = 801,
};

// The device faulted, an error was returned or left behind a launch, or nothing was launched although there was
// something to compute.
void examine_errors(const Case& shape, const Answer& answer);

// An input was changed, or memory around a tensor was written.
void examine_memory(const Problem& problem, const Answer& answer);

// Elements of O that were never written, are not finite, or lie outside the rounding bound. Empty rows: all.
void examine_values(
    const Problem& problem, const Answer& answer, const Evidence& evidence,
    const std::vector<std::int64_t>& rows = {});

// The same for LSE, which has to be -inf in a row that sees no key.
void examine_lse(const Problem& problem, const Answer& answer);

// The name of the first output of which an element no longer holds what it held before the call; LSE does not count,
// which a lesson may not have. "" if there is none.
std::string touched_output(const Answer& answer);

// "O[b=0 h=1 q=16 k=3]", "LSE[b=0 h=1 q=16]", "dK[b=0 h=1 j=16 k=3]", "dS[b=0 h=1 q=16 j=3]"
std::string element_name(const Case& shape, int tensor, std::int64_t row, int k);

}  // namespace judge
