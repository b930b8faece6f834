// The judge's end of the conversation with a runner process (runner/protocol.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inputs.h"
#include "process.h"
#include "runner/protocol.h"

namespace judge {

// How to make one call, beyond the problem itself.
struct Ask {
  std::optional<protocol::Operation> operation = std::nullopt;  // default: the lesson's
  std::uint32_t null_mask = 0;  // bit t: tensor t is passed as a null pointer
  bool dry_run = false;
  bool sample_blocks = false;
  bool count = false;
  int last_of_heads = 0;  // the problem is the last of so many heads, before which there is nothing
  bool bare = false;      // no guard zones, nothing initialised but the inputs
  protocol::Schedule schedule = protocol::Schedule::kForward;
  std::uint64_t schedule_seed = 0;
};

struct Answer {
  protocol::Request request{};
  protocol::Reply reply{};
  std::vector<float> buffers;  // of the outputs, guards included

  // An output's buffer, and the tensor in it, unaligned by as much as the case asked for.
  const float* buffer(int tensor) const;
  const float* tensor(int tensor) const;
  const float* O() const { return tensor(protocol::kO); }
  const float* LSE() const { return tensor(protocol::kLSE); }
};

// A request with everything but its payload.
protocol::Request make_request(const Case& shape, const Ask& ask, std::uint64_t sequence);

// The request as the runner reads it, payload included.
std::string request_message(const Problem& problem, const protocol::Request& request);

// Runs one library in one process. Every function throws Failure when the student's code crashes, hangs or breaks
// the protocol, and InternalError when the runner itself is at fault.
class Runner {
 public:
  Runner(const std::string& runner, const std::string& library, Seconds limit);

  // Waits until the library is loaded, which must have the function of this operation. Throws NotRun if no device
  // answers.
  void load(protocol::Operation needed = protocol::Operation::kForward);

  // True if the library has the function of this operation. To be asked after load().
  bool has(protocol::Operation operation) const {
    return functions_ >> static_cast<std::uint32_t>(operation) & 1;
  }

  Answer ask(const Problem& problem, const Ask& ask);

  // Ends the process. Throws Failure if it has said more than it was asked.
  void finish();

 private:
  void receive(
      std::string_view request, void* reply, std::size_t size, const char* doing, Seconds limit);
  [[noreturn]] void ended(const char* doing, std::size_t received, std::size_t wanted);
  std::string printed() const;

  Process process_;
  Seconds limit_;
  std::uint64_t sequence_ = 0;
  std::uint32_t functions_ = 0;  // bit of each operation that the library has
};

}  // namespace judge
