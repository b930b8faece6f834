// What can be said about one check, and the exceptions with which its parts say it.
#pragma once

#include <stdexcept>
#include <string>

#include "diagnosis.h"

namespace judge {

enum class Verdict { kPass, kFail, kNotStarted, kNotRun, kInternalError };

const char* verdict_name(Verdict verdict);  // "NOT RUN"

// The finished verdict on one check, as the report shows it.
struct Outcome {
  Verdict verdict = Verdict::kPass;
  std::string kind;       // of a failure: "wrong values", "hang", ...
  std::string message;    // may have several lines
  std::string diagnosis;  // slug of the misconception, if one was recognised
  bool confident = false;
  std::string found;      // what the checked build says about the case that failed, or ""
  std::string case_json;  // the case that failed, as a JSON object, or ""
  std::string note;       // a fact worth showing whatever the verdict is
};

// The student's kernel is wrong.
struct Failure {
  std::string kind;
  std::string headline;  // the case in words, or what this is about
  std::string details;   // lines
  Diagnosis diagnosis{};
  std::string case_json{};
  std::string found{};  // a bad access or a race in this case; may have several lines
};

// This check cannot be made, for a reason that is nobody's fault.
struct NotRun {
  std::string reason;
};

// The judge itself cannot do its work.
struct InternalError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The user wants to stop.
struct Interrupted {};

}  // namespace judge
