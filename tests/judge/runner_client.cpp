#include "runner_client.h"

#include <cstring>

#include "text.h"
#include "verdict.h"

namespace judge {
namespace {

using protocol::Reply;
using protocol::Request;

constexpr std::uint32_t kGuardFloats = 4096;  // 16 KiB on each side of a tensor
constexpr Seconds kFinishLimit{5};
// An exiting process closes its pipes before it is gone: the driver takes its time with a GPU's context,
// 1 s and more where sixteen of them end at once.
constexpr Seconds kEnding{10};
constexpr int kPrintedLines = 5;
constexpr double kRowsPerLimit = 10'000;  // so many rows get the time limit once more

// Fixed-size text fields may come without an end.
template <std::size_t kSize>
void terminate(char (&text)[kSize]) {
  text[kSize - 1] = '\0';
}

}  // namespace

const float* Answer::buffer(int tensor) const {
  return buffers.data() + protocol::reply_floats_before(request, tensor);
}

const float* Answer::tensor(int tensor) const {
  return buffer(tensor) + request.guard_floats + request.offset_floats[tensor];
}

Request make_request(const Case& c, const Ask& ask, std::uint64_t sequence) {
  Request request{};
  request.magic = protocol::kMagic;
  request.version = protocol::kVersion;
  request.sequence = sequence;
  request.batch = c.batch;
  request.num_heads = c.heads;
  request.num_heads_kv = c.kv_heads();
  request.seq_len_q = c.N_q;
  request.seq_len_k = c.N_k;
  request.head_dim = c.d;
  request.softmax_scale = c.softmax_scale();
  const protocol::Operation operation = ask.operation.value_or(protocol::Operation::kForward);
  request.operation = operation;
  request.flags = (c.causal ? protocol::kCausal : 0u) | (ask.dry_run ? protocol::kDryRun : 0u) |
                  (ask.sample_blocks ? protocol::kSampleBlocks : 0u) |
                  (ask.count ? protocol::kCount : 0u) | (ask.bare ? protocol::kBare : 0u) |
                  (ask.last_of_heads > 0 ? protocol::kLastHead : 0u);
  request.null_mask = ask.null_mask;
  request.schedule = ask.schedule;
  request.schedule_seed = ask.schedule_seed;
  for (int t = 0; t < protocol::kTensors; ++t) {
    if (!protocol::is_input(operation, t) && !protocol::is_output(operation, t)) continue;
    request.elements[t] = c.elements(t);
    request.offset_floats[t] = c.misaligned_mask >> t & 1 ? c.misaligned_floats : 0;
  }
  request.guard_floats = ask.bare || ask.last_of_heads > 0 ? 0 : kGuardFloats;
  if (ask.last_of_heads > 0) {
    request.num_heads = request.num_heads_kv = ask.last_of_heads;
    for (std::uint64_t& elements : request.elements) elements *= ask.last_of_heads;
  }
  request.payload_bytes = protocol::request_payload(request);
  return request;
}

std::string request_message(const Problem& problem, const Request& request) {
  std::string message(sizeof(request), '\0');
  std::memcpy(message.data(), &request, sizeof(request));
  if (!(request.flags & protocol::kDryRun)) {
    for (int t = 0; t < protocol::kTensors; ++t) {
      if (!protocol::is_input(request.operation, t)) continue;
      const std::vector<float>& tensor = problem.inputs.tensor(t);
      message.append(reinterpret_cast<const char*>(tensor.data()), tensor.size() * sizeof(float));
    }
  }
  if (message.size() != sizeof(request) + request.payload_bytes)
    throw InternalError("the inputs of a case do not fit its shape");
  return message;
}

Runner::Runner(const std::string& runner, const std::string& library, Seconds limit)
    : process_({runner, library}, Process::Pipes::kTalking), limit_(limit) {}

void Runner::load(protocol::Operation needed) {
  protocol::Hello hello{};
  std::size_t received = 0;
  if (process_.exchange({}, &hello, sizeof(hello), limit_, &received) != Process::Event::kDone ||
      hello.status != protocol::LoadStatus::kStarting) {
    process_.kill_group();
    throw InternalError("the runner does not start\n" + sanitised(process_.output()));
  }
  receive({}, &hello, sizeof(hello), "while the library was loaded", limit_);
  if (hello.magic != protocol::kMagic || hello.version != protocol::kVersion)
    throw Failure{
        "protocol", "loading the library",
        "something other than the runner wrote to the judge's pipe"};
  terminate(hello.text);
  functions_ = hello.functions;
  const std::string function = protocol::function_name(needed);
  const Failure no_entry_point{
      "compile error", "the library has no function " + function,
      "Define it with extern \"C\", as kernels/attention.h declares it."};
  switch (hello.status) {
    case protocol::LoadStatus::kReady:
      if (!has(needed)) throw no_entry_point;
      return;
    case protocol::LoadStatus::kStarting:
      break;
    case protocol::LoadStatus::kNotLoadable:
      throw Failure{
          "compile error", "the library cannot be loaded",
          sanitised(hello.text) +
              "\nA function that is declared and called, but defined nowhere, is found only here."};
    case protocol::LoadStatus::kNoEntryPoint:
      throw no_entry_point;
    case protocol::LoadStatus::kNoDevice:
      throw NotRun{sanitised(hello.text)};
  }
  throw Failure{"protocol", "loading the library", "the runner's first message is malformed"};
}

Answer Runner::ask(const Problem& problem, const Ask& ask) {
  if (process_.has_unread_reply())
    throw Failure{
        "protocol", problem.shape.words(),
        "the process wrote more to the judge's pipe than its answer"};
  Answer answer;
  answer.request = make_request(problem.shape, ask, ++sequence_);
  const Request& request = answer.request;
  const std::string message = request_message(problem, request);

  const std::string doing = problem.shape.words();
  Reply& reply = answer.reply;
  // A block per row may be slow where there are tens of thousands of rows.
  const Seconds limit =
      ask.sample_blocks ? limit_
                        : limit_ * (1 + static_cast<double>(problem.shape.rows()) / kRowsPerLimit);
  receive(message, &reply, sizeof(reply), doing.c_str(), limit);
  if (reply.magic != protocol::kMagic || reply.version != protocol::kVersion ||
      reply.sequence != request.sequence || reply.payload_bytes != protocol::reply_payload(request))
    throw Failure{
        "protocol", problem.shape.words(),
        "something other than the runner wrote to the judge's pipe"};
  answer.buffers.resize(reply.payload_bytes / sizeof(float));
  receive({}, answer.buffers.data(), reply.payload_bytes, doing.c_str(), limit);
  terminate(reply.returned_text);
  terminate(reply.launch_failed_text);
  terminate(reply.last_error_text);
  terminate(reply.sync_error_text);
  terminate(reply.report);
  if (reply.status == protocol::Status::kSetupFailed)
    throw InternalError(
        "the runner could not set up its tensors: " + sanitised(reply.last_error_text));
  return answer;
}

void Runner::finish() {
  std::size_t unexpected = 0;
  process_.finish(kFinishLimit, &unexpected);
  if (unexpected > 0)
    throw Failure{
        "protocol", "after the last case",
        format("the process wrote %zu more bytes to the judge's pipe than its answer", unexpected)};
}

void Runner::receive(
    std::string_view request, void* reply, std::size_t size, const char* doing, Seconds limit) {
  std::size_t received = 0;
  switch (process_.exchange(request, reply, size, limit, &received)) {
    case Process::Event::kDone:
      return;
    case Process::Event::kTimedOut:
      process_.kill_group();
      throw Failure{
          "hang", doing,
          format("no answer within %.0f s: the process was stopped", limit.count()) + printed()};
    case Process::Event::kEnded:
      ended(doing, received, size);
  }
}

void Runner::ended(const char* doing, std::size_t received, std::size_t wanted) {
  // It may have closed the pipe and live on: that ends here. Otherwise this waits for its exit status.
  std::size_t unexpected = 0;
  const bool lived_on = process_.finish(kEnding, &unexpected) == Process::Event::kTimedOut;
  if (received > 0)
    throw Failure{
        "protocol", doing,
        format("the answer ended after %zu of %zu bytes", received, wanted) + printed()};
  if (lived_on) throw Failure{"protocol", doing, "the process closed the judge's pipe" + printed()};
  throw Failure{
      "crash", doing, "the process " + process_.ending() + " before it answered" + printed()};
}

std::string Runner::printed() const {
  if (process_.output().empty()) return "";
  return "\nit printed: " + first_lines(sanitised(process_.output()), kPrintedLines);
}

}  // namespace judge
