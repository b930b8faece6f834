#include "check.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <utility>

#include "bound.h"
#include "compile.h"
#include "examine_gradients.h"
#include "random.h"
#include "text.h"

namespace judge {
namespace {

std::string error_names(const std::vector<int>& errors) {
  const std::map<int, const char*> names = {
      {kSuccess, "cudaSuccess"},
      {kInvalidValue, "cudaErrorInvalidValue"},
      {kNotSupported, "cudaErrorNotSupported"},
  };
  std::string text;
  for (const int error : errors)
    text += (text.empty() ? "" : " or ") + std::string(names.at(error));
  return text;
}

const char* schedule_words(protocol::Schedule schedule) {
  switch (schedule) {
    case protocol::Schedule::kForward:
      return "first to last";
    case protocol::Schedule::kReverse:
      return "last to first";
    case protocol::Schedule::kRandom:
      return "in random order";
  }
  return "?";
}

// Rows of O from the first one on of which something was written.
std::vector<std::int64_t> written_rows(const Case& c, const Answer& answer, std::int64_t first) {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = first; row < c.rows(); ++row) {
    const float* const values = answer.O() + row * c.d;
    const bool written = std::any_of(values, values + c.d, [](const float& value) {
      return std::bit_cast<std::uint32_t>(value) != protocol::filler_bits(protocol::kO);
    });
    if (written) rows.push_back(row);
  }
  return rows;
}

// The elements of all outputs that are always asked for, one after the other.
std::vector<float> outputs_of(const Answer& answer) {
  std::vector<float> all;
  for (int t = 0; t < protocol::kTensors; ++t) {
    if (t == protocol::kLSE || !protocol::is_output(answer.request.operation, t)) continue;
    const float* const values = answer.tensor(t);
    all.insert(all.end(), values, values + answer.request.elements[t]);
  }
  return all;
}

// Processes that are started while it lives have this in their environment.
class EnvironmentVariable {
 public:
  EnvironmentVariable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~EnvironmentVariable() { unsetenv(name_); }
  EnvironmentVariable(const EnvironmentVariable&) = delete;
  EnvironmentVariable& operator=(const EnvironmentVariable&) = delete;

 private:
  const char* name_;
};

}  // namespace

Check::Check(Workshop& workshop, std::string name) : workshop_(workshop), name_(std::move(name)) {}

void Check::compiles() {
  compile(workshop_.compiler, workshop_.source, workshop_.library, workshop_.compile_limit);
  try {
    runner();
  } catch (const NotRun&) {
    // No device answers. The file compiles and loads; what needs the device says so itself.
  }
}

void Check::runs(const Case& shape) {
  const Problem problem = draw_next(shape);
  examine_errors(shape, call(problem, {}));
}

void Check::values(const Case& shape, const Ask& ask) {
  const Problem problem = draw_next(shape);
  const Answer answer = call(problem, ask);
  examine(problem, answer);
}

void Check::lse(const Case& shape, const Ask& ask) {
  const Problem problem = draw_next(shape);
  examine_lse(problem, sound_answer(problem, ask));
}

void Check::values_without_lse(const Case& shape) {
  try {
    values(shape, {.null_mask = 1u << protocol::kLSE});
  } catch (Failure& failure) {
    failure.details += "\nLSE is nullptr in this call, which is allowed: it is not asked for then";
    throw;
  }
}

void Check::refuses(
    const Case& shape, const std::string& what, const std::vector<int>& errors, const Ask& ask) {
  try {
    const Problem problem = draw_next(shape);
    expect_refusal(shape, call(problem, ask), errors);
  } catch (Failure& failure) {
    failure.headline = what + ": " + error_names(errors) + " is expected";
    throw;
  }
}

void Check::expect_refusal(
    const Case& shape, const Answer& answer, const std::vector<int>& errors) {
  if (std::find(errors.begin(), errors.end(), answer.reply.returned) == errors.end())
    fail(
        shape, "contract",
        function() + " returned " + sanitised(answer.reply.returned_text) +
            (answer.reply.sync_error != kSuccess
                 ? "\nand the device failed: " + sanitised(answer.reply.sync_error_text)
                 : ""));
  if (answer.reply.launches > 0)
    fail(shape, "contract", "the error was returned, but only after a kernel had been launched");
  const std::string touched = touched_output(answer);
  if (!touched.empty())
    fail(shape, "contract", "the error was returned, but " + touched + " had been written");
  if (answer.reply.held_bytes > 0)
    fail(
        shape, "contract",
        "the error was returned, but " + bytes_words(answer.reply.held_bytes) +
            " are still allocated");
}

void Check::refuses_or_values(const Case& shape, const std::string& what, int error) {
  const Problem problem = draw_next(shape);
  const Answer answer = call(problem, {});
  try {
    if (answer.reply.returned != kSuccess) return expect_refusal(shape, answer, {error});
    examine_errors(shape, answer);
    examine_memory(problem, answer);
    examine_outputs(problem, answer, {});  // no diagnosis: the feature is not asked for
  } catch (Failure& failure) {
    failure.kind = "contract";
    failure.headline = what + ": " + error_names({error}) + " is expected";
    failure.diagnosis = {};
    if (answer.reply.returned == kSuccess)
      failure.details =
          function() + " returned cudaSuccess, and a wrong result\n" + failure.details;
    throw;
  }
}

void Check::good_manners(const Case& shape) {
  const Problem problem = draw_next(shape);
  const Answer answer = call(problem, {});
  examine(problem, answer);
  const protocol::Reply& reply = answer.reply;
  if (reply.launches_elsewhere > 0 && reply.stream_waits == 0)
    fail(
        shape, "contract",
        format(
            "%s of %s launches did not go to the given stream, and nothing orders them behind it",
            with_commas(reply.launches_elsewhere).c_str(), with_commas(reply.launches).c_str()));
  if (reply.fills_elsewhere > 0 && reply.stream_waits == 0)
    fail(
        shape, "contract",
        format(
            "%s fills or copies of device memory did not go to the given stream, and nothing "
            "orders them before its "
            "kernels: cudaMemset() goes to the default stream, cudaMemsetAsync() to the one it is "
            "given",
            with_commas(reply.fills_elsewhere).c_str()));
  if (reply.unjoined > 0)
    fail(
        shape, "contract",
        "work went to another stream, and the given stream does not wait for it: whoever uses the "
        "results on the "
        "given stream may come too early (cudaEventRecord there, cudaStreamWaitEvent here)");
  if (reply.device_syncs > 0)
    fail(
        shape, "contract",
        function() + " calls cudaDeviceSynchronize(): a launcher leaves waiting to its caller");
  if (reply.last_error != kSuccess)
    fail(
        shape, "contract",
        function() +
            " returned cudaSuccess, but left an error behind for the next "
            "cudaGetLastError(): " +
            sanitised(reply.last_error_text));
}

void Check::sees_no_future(const Case& shape, int i) {
  const Problem problem = draw_next(shape);
  const int visible = problem.visible_keys(i);  // the same in every head
  const Answer before = call(problem, {});
  examine_errors(shape, before);

  // The problem with the keys and values from first to end - 1 of every head changed.
  const auto changed = [&](int first, int end) {
    Problem other = problem;
    Random random(problem.seed + 1);
    for (std::vector<float>* tensor : {&other.inputs.K, &other.inputs.V})
      for (std::size_t n = 0; n < tensor->size(); ++n) {
        const int j = static_cast<int>(n / shape.d % shape.N_k);
        if (j >= first && j < end) (*tensor)[n] = 4 * random.normal();
      }
    return other;
  };
  // The first row up to query i that two answers do not have in common; -1 if there is none.
  const auto first_difference = [&](const Answer& a, const Answer& b) {
    for (std::int64_t row = 0; row < shape.rows(); ++row) {
      if (row % shape.N_q > i) continue;
      const std::size_t bytes = shape.d * sizeof(float);
      if (std::memcmp(a.O() + row * shape.d, b.O() + row * shape.d, bytes) != 0) return row;
      if (workshop_.has_lse && std::memcmp(a.LSE() + row, b.LSE() + row, sizeof(float)) != 0)
        return row;
    }
    return std::int64_t{-1};
  };

  const Problem other = changed(visible, shape.N_k);
  const Answer after = call(other, {});
  examine_errors(shape, after);
  std::int64_t row = first_difference(before, after);
  if (row < 0) return;
  if (first_difference(before, call(problem, {})) >= 0) {
    // The same inputs give other bits each time, which is allowed. The values have to be right.
    examine_values(other, after, workshop_.evidence);
    return;
  }
  // Which single key is it?
  int j = visible;
  while (j < shape.N_k) {
    const std::int64_t found = first_difference(before, call(changed(j, j + 1), {}));
    if (found >= 0) {
      row = found;
      break;
    }
    ++j;
  }
  const int sees = problem.visible_keys(row);
  std::string horizon = sees == 0 ? "which sees no key" : format("which sees keys 0..%d", sees - 1);
  fail(
      shape, "wrong values",
      j < shape.N_k
          ? format(
                "changing key %d and its value changed row q = %lld, %s: it can see the future", j,
                static_cast<long long>(row % shape.N_q), horizon.c_str())
          : format(
                "changing keys %d..%d and their values changed row q = %lld, %s: it can see the "
                "future",
                visible, shape.N_k - 1, static_cast<long long>(row % shape.N_q), horizon.c_str()));
}

void Check::holds_no_memory(const Case& shape) {
  const Problem problem = draw_next(shape);
  const Answer answer = call(problem, {});
  examine_errors(shape, answer);
  if (answer.reply.held_bytes > 0)
    fail(
        shape, "memory",
        bytes_words(answer.reply.held_bytes) + " are still allocated after the call");
}

MemoryGrowth Check::measure_memory(Case shape) {
  std::array<std::uint64_t, kMemorySizes.size()> bytes{};
  Problem problem;
  for (std::size_t n = 0; n < kMemorySizes.size(); ++n) {
    shape.N_q = shape.N_k = kMemorySizes[n];
    problem.shape = shape;
    const Answer answer = call(problem, {.dry_run = true});
    const protocol::Reply& reply = answer.reply;
    if (reply.returned != kSuccess) {
      std::string details = function() + " returned " + sanitised(reply.returned_text);
      if (reply.failed_bytes > 0) {
        details += "\nan allocation of " + with_commas(reply.failed_bytes) + " bytes failed";
        if (reply.failed_bytes > std::uint64_t{1} << 46)
          details += ": its size overflowed. Compute sizes in size_t or int64_t";
      }
      fail(shape, "memory", details);
    }
    if (reply.held_bytes > 0)
      fail(shape, "memory", bytes_words(reply.held_bytes) + " are still allocated after the call");
    bytes[n] = reply.peak_bytes + reply.static_bytes;
  }
  MemoryGrowth growth = memory_growth(bytes, std::int64_t{shape.batch} * shape.heads);
  note("extra memory: " + growth.words);
  return growth;
}

void Check::memory_grows_at_most(const Case& shape, Growth most) {
  const MemoryGrowth growth = measure_memory(shape);
  if (growth.growth <= most) return;
  std::string details = "extra memory: " + growth.words;
  if (most < Growth::kQuadratic && growth.growth == Growth::kQuadratic)
    details +=
        "\nit grows as N^2; from lesson 03 on nothing of the size of the scores is stored, so that "
        "memory grows as N";
  Case largest = shape;
  largest.N_q = largest.N_k = kMemorySizes.back();
  fail(largest, "memory", details);
}

// A call whose last rows are looked at. On the CPU device only the last blocks run; NotRun if that cannot be done with
// this kernel. A GPU runs all of them.
Answer Check::call_for_last_rows(const Problem& problem, Ask ask) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 30;
  ask.sample_blocks = on_cpu();
  if (!on_cpu()) memory_share_.emplace(shared_directory(workshop_.directory), is_backward());
  const Answer answer = [&] {
    try {
      return call(problem, ask);
    } catch (const Failure& failure) {
      // A block may wait for another one, or do the work of all.
      if (failure.kind == "hang")
        not_run(
            on_cpu() ? "the last blocks of the launch do not end without the others"
                     : "so large a problem takes too long: " + failure.details);
      throw;
    }
  }();
  const protocol::Reply& reply = answer.reply;
  if (reply.failed_bytes > 0 && reply.failed_bytes < kMostBytes)
    not_run("this machine cannot reserve " + bytes_words(reply.failed_bytes));
  examine_errors(problem.shape, answer);
  if (!on_cpu()) return answer;
  // The kernels of a backward pass hand over what belongs to one head, which their last blocks work on together.
  if (reply.launches != 1 && !is_backward())
    not_run(format(
        "%s kernels are launched, and the last blocks of one do not do the work that those of the "
        "next need",
        with_commas(reply.launches).c_str()));
  if (reply.sampled_count == 0)
    not_run(format(
        "%s blocks are too few to run only some of them", with_commas(reply.grid_blocks).c_str()));
  return answer;
}

void Check::last_rows(const Case& shape) {
  const Problem problem = draw_next(shape);
  const Answer answer = call_for_last_rows(problem, {});
  // Of the rows that were to be written, those whose scores lie beyond the 2^31st.
  const std::int64_t first = (std::int64_t{1} << 31) / shape.N_k + 1;
  std::vector<std::int64_t> rows;
  if (on_cpu()) {
    rows = written_rows(shape, answer, first);
  } else {
    rows.resize(shape.rows() - first);
    std::iota(rows.begin(), rows.end(), first);
  }
  if (rows.empty()) not_run("the last blocks of the launch write none of the last rows");
  examine_memory(problem, answer);
  examine_values(problem, answer, workshop_.evidence, rows);
  if (!on_cpu())
    return note(format("rows %s of %s", ranges(rows).c_str(), with_commas(shape.rows()).c_str()));
  const protocol::Reply& reply = answer.reply;
  note(format(
      "rows %s of %s, in the last %s of %s blocks", ranges(rows).c_str(),
      with_commas(shape.rows()).c_str(), with_commas(reply.sampled_count).c_str(),
      with_commas(reply.grid_blocks).c_str()));
}

void Check::last_head(const Case& one_head, int heads) {
  finish();  // a runner that has begun keeps its profile, and its memory
  workshop_.idle.runner.reset();
  const EnvironmentVariable profile("CPU_DEVICE_PROFILE", "h200");  // for its 139.8 GiB
  const Problem problem = draw_next(one_head);
  const auto elements = std::max(one_head.q_elements(), one_head.kv_elements()) * heads;
  try {
    const Answer answer = call_for_last_rows(problem, {.last_of_heads = heads});
    if (!on_cpu()) {
      examine_outputs(problem, answer, {});
    } else if (is_backward()) {
      examine_written_gradients(problem, answer);
    } else {
      const std::vector<std::int64_t> rows = written_rows(one_head, answer, 0);
      if (rows.empty()) not_run("the last blocks of the launch write nothing of the last head");
      examine_values(problem, answer, {}, rows);
    }
  } catch (Failure& failure) {
    failure.headline =
        format("the last of %s heads, ", with_commas(heads).c_str()) + failure.headline;
    failure.diagnosis = {};  // what was read or written is another head's
    if (failure.kind != "launch error")
      failure.details += format(
          "\nits elements have numbers up to %s, beyond 2^31: is every product that leads to an "
          "index computed in 64 bits?",
          with_commas(elements).c_str());
    throw;
  } catch (const InternalError&) {
    not_run("this machine cannot reserve tensors of " + bytes_words(4 * elements));
  }
  note("tensors of more than 2^31 elements");
}

void Check::values_of_last_blocks(const Case& shape) {
  if (!on_cpu()) return values(shape);
  const Problem problem = draw_next(shape);
  std::optional<Answer> answer;
  try {
    answer = call(problem, {.sample_blocks = true});
    examine_errors(shape, *answer);
  } catch (const Failure& failure) {
    if (failure.kind != "hang") throw;  // a block may wait for another one
  }
  if (!answer || answer->reply.launches != 1) return values(shape);
  if (answer->reply.sampled_count == 0) {
    // So few blocks are not sampled: each works on many heads. More heads than blocks show whether it does.
    Case fewer = shape;
    fewer.batch = 1;
    fewer.heads = 1100;
    return values(fewer);
  }
  examine_memory(problem, *answer);
  const std::vector<std::int64_t> rows = written_rows(shape, *answer, 0);
  // A grid that ends too early has other last blocks.
  if (rows.empty() || rows.back() != shape.rows() - 1) return values(shape);
  examine_values(problem, *answer, workshop_.evidence, rows);
}

void Check::repeats(const std::vector<Case>& shapes) {
  std::vector<std::pair<protocol::Schedule, std::uint64_t>> schedules;
  if (on_cpu()) {
    schedules = {{protocol::Schedule::kForward, 0}, {protocol::Schedule::kReverse, 0}};
    for (std::uint64_t seed = 1; seed <= 4; ++seed)
      schedules.push_back({protocol::Schedule::kRandom, derive_seed(workshop_.seed, name_, seed)});
  } else {
    schedules.assign(20, {protocol::Schedule::kForward, 0});
  }
  std::vector<Problem> problems;
  for (const Case& shape : shapes) problems.push_back(draw_next(shape));

  std::vector<std::vector<float>> first(shapes.size());
  bool bits_differ = false;
  for (std::size_t run = 0; run < schedules.size(); ++run) {
    for (std::size_t n = 0; n < problems.size(); ++n) {
      const auto [schedule, seed] = schedules[run];
      const Answer answer = call(problems[n], {.schedule = schedule, .schedule_seed = seed});
      try {
        examine(problems[n], answer);
      } catch (Failure& failure) {
        // The same case was right in the first run, so what changed is the order of events.
        if (run > 0 && failure.kind != "hang" && failure.kind != "crash") {
          failure.kind = "race";
          failure.details +=
              on_cpu() ? format(
                             "\nright when blocks and warps run first to last, not right when they "
                             "run %s",
                             schedule_words(schedule))
                       : format("\nright in the first run, not right in run %zu", run + 1);
        }
        throw;
      }
      const std::vector<float> outputs = outputs_of(answer);
      if (run == 0)
        first[n] = outputs;
      else
        bits_differ = bits_differ || outputs != first[n];
    }
  }
  note(format(
      "%zu runs of %zu cases, %s", schedules.size(), shapes.size(),
      bits_differ ? "all right; the last bits differ from run to run"
                  : "the same to the last bit"));
}

void Check::also_needs(const std::string& other) {
  if (did_not_pass(other)) not_run("needs " + other + ", which did not pass");
}

bool Check::did_not_pass(const std::string& other) const {
  const auto found = workshop_.verdicts.find(other);
  return found != workshop_.verdicts.end() && found->second != Verdict::kPass;
}

void Check::note(const std::string& fact) {
  if (notes_.find(fact) != std::string::npos) return;
  if (!notes_.empty()) notes_ += "; ";
  notes_ += fact;
}

void Check::fail(const Case& shape, const char* kind, const std::string& details) {
  throw Failure{kind, shape.words(), details, {}, shape.json()};
}

void Check::finish() {
  if (runner_ == nullptr) return;
  runner_->finish();
  runner_.reset();
  runner_is_checked_ = false;
  memory_share_.reset();
}

void Check::pass_on_runner() {
  const bool may_go_on = runner_ != nullptr && !on_cpu() && !runner_holds_memory_ &&
                         checks_of_runner_ < workshop_.checks_per_process;
  if (!may_go_on || memory_share_) return finish();
  workshop_.idle = {std::move(runner_), checks_of_runner_};
}

Problem Check::draw_next(const Case& shape) {
  const std::uint64_t seed = derive_seed(workshop_.seed, name_, cases_++);
  return is_backward() ? draw_backward(shape, seed) : draw(shape, seed);
}

// The whole examination, after which the case counts as one that the kernel gets right.
void Check::examine(const Problem& problem, const Answer& answer) {
  examine_errors(problem.shape, answer);
  examine_memory(problem, answer);
  examine_outputs(problem, answer, workshop_.evidence);
  workshop_.evidence.passed.push_back({problem.shape, problem.seed});
}

void Check::examine_outputs(
    const Problem& problem, const Answer& answer, const Evidence& evidence) {
  if (is_backward())
    examine_gradients(problem, answer);
  else
    examine_values(problem, answer, evidence);
}

Answer Check::sound_answer(const Problem& problem, const Ask& ask) {
  Answer answer = call(problem, ask);
  examine_errors(problem.shape, answer);
  examine_memory(problem, answer);
  return answer;
}

// The call that the next case makes.
Ask Check::prepared(Ask ask) const {
  if (!ask.operation) ask.operation = workshop_.operation;
  // Where a lesson has no LSE, it is passed in every other call only.
  if (!workshop_.has_lse && cases_ % 2 == 0) ask.null_mask |= 1u << protocol::kLSE;
  return ask;
}

Answer Check::call(const Problem& problem, Ask ask) {
  ask = prepared(ask);
  if (runner_is_checked_ || ask.dry_run || ask.sample_blocks)
    last_call_.reset();
  else
    last_call_ = {problem, ask};
  try {
    Answer answer = runner().ask(problem, ask);
    runner_holds_memory_ = answer.reply.held_bytes > 0;
    return answer;
  } catch (Failure& failure) {
    failure.case_json = problem.shape.json();
    throw;
  }
}

Runner& Check::runner() {
  if (runner_ == nullptr && workshop_.idle.runner != nullptr) {
    runner_ = std::move(workshop_.idle.runner);
    checks_of_runner_ = workshop_.idle.checks + 1;
  } else if (runner_ == nullptr) {
    runner_ = std::make_unique<Runner>(workshop_.runner, workshop_.library, workshop_.answer_limit);
    runner_->load(workshop_.operation);
    checks_of_runner_ = 1;
  }
  return *runner_;
}

}  // namespace judge
