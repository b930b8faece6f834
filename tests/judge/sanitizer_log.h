// What one tool of compute-sanitizer writes to its log about a student's kernels.
#pragma once

#include <string>
#include <vector>

#include "findings_file.h"

namespace judge {

struct SanitizerLog {
  // The tool came to its end and counted what it found: a log without findings means that there are none.
  bool complete = false;
  // What kept the tool from its work, in its own words, or "".
  std::string complaint;
  // What kernels did wrong, in the log's order, once for each kind and place. What the tool says of calls of the CUDA
  // API is left out: those are the runner's as well, and the device's own errors say the same.
  std::vector<SafetyFinding> findings;
};

// source: the student's file. Of several lines that lead to an access, its own is the place.
SanitizerLog read_sanitizer_log(const std::string& text, const std::string& source);

}  // namespace judge
