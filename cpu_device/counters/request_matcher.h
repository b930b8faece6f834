// Puts the requests of a warp together from the logs of its lanes: the k-th execution of an instruction by one lane
// belongs with the k-th executions by the others, counted from the last point at which the warp was together, such as
// a barrier. Lanes that took the same way are matched by their position in the log, which is much faster and the same.
#pragma once

#include <stdint.h>

#include <deque>
#include <unordered_map>

#include "access_log.h"
#include "request_cost.h"

namespace cpu_device {

// Takes the requests that a matcher finds. code: low half of the return address of the access.
class RequestSink {
 public:
  virtual void uniform(uint32_t code, unsigned kind, uint32_t lanes, uint64_t address) = 0;
  virtual void consecutive(uint32_t code, unsigned kind, uint64_t address) = 0;
  virtual void request(uint32_t code, const Request& request) = 0;

 protected:
  ~RequestSink() = default;
};

class RequestMatcher {
 public:
  // Takes what the 32 logs hold, and empties them. stopped: lanes that can execute nothing more before the warp is
  // together again.
  void take(AccessLog* logs, uint32_t stopped, RequestSink* sink);
  // The warp is together: no later access belongs with an earlier one.
  void together(RequestSink* sink);

 private:
  struct Instruction {
    uint32_t executions[32] = {};
    uint64_t first = 0;  // number of the oldest request in pending
    std::deque<Request> pending;
  };

  uint32_t take_in_step(AccessLog* logs, uint32_t lanes, RequestSink* sink);
  void take_one(unsigned lane, uint32_t code, LoggedAccess access, RequestSink* sink);

  bool diverged_ = false;  // since the warp was together
  std::unordered_map<uint64_t, Instruction> instructions_;
};

}  // namespace cpu_device
