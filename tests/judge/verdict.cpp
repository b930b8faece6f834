#include "verdict.h"

namespace judge {

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "PASS";
    case Verdict::kFail:
      return "FAIL";
    case Verdict::kNotStarted:
      return "NOT STARTED";
    case Verdict::kNotRun:
      return "NOT RUN";
    case Verdict::kInternalError:
      return "INTERNAL ERROR";
  }
  return "?";
}

}  // namespace judge
