// The checks that need to see every access: safety, and what is counted.
#include <algorithm>
#include <exception>
#include <iterator>

#include "check.h"
#include "compile.h"
#include "findings_file.h"
#include "sanitizer.h"
#include "text.h"
#include "traffic_rule.h"

namespace judge {
namespace {

constexpr Seconds kToolLimit{60};         // for all tools of compute-sanitizer together
constexpr Seconds kFailingToolLimit{20};  // the same for a kernel that fails without them
constexpr int kMostCauseSearches = 2;     // later failures mostly have the same cause

// Kinds of failure behind which there may be a race or a bad access.
constexpr const char* kKindsWithCauses[] = {
    "wrong values",  "precision", "not finite", "never written",
    "out of bounds", "race",      "crash",      "misaligned",
};

}  // namespace

void Check::find_cause(Failure* failure) {
  const bool may_have_cause = std::any_of(
      std::begin(kKindsWithCauses), std::end(kKindsWithCauses),
      [&](const char* kind) { return failure->kind == kind; });
  if (!on_cpu() || !may_have_cause || !last_call_) return;
  std::optional<Cause>& known = workshop_.cause;
  if (workshop_.cause_searches == kMostCauseSearches) {
    if (known)
      failure->details += "\nwhat was found in " + known->check + " may be the cause here, too";
    return;
  }
  ++workshop_.cause_searches;
  const auto finding = search_last_call();
  if (!finding) return;
  if (known && known->finding.slug == finding->slug && known->finding.place == finding->place) {
    failure->found = "the same " + finding->slug + " as in " + known->check;
  } else {
    failure->found = finding->slug + ": " + finding->headline + "\n" + finding->details;
    if (!known) known = {name_, *finding};
  }
  // Values that depend on the order of events look like a misconception by accident only.
  if (finding->kind == "race") failure->diagnosis = {};
}

// Nothing if the checked build or its run fails, for whatever reason.
std::optional<SafetyFinding> Check::search_last_call() {
  auto [problem, ask] = *last_call_;
  ask.bare = true;
  runner_.reset();
  try {
    const FindingsFile findings(workshop_.library + ".findings");
    start_checked_runner();
    runner().ask(problem, ask);
    finish();  // the findings are written when the process ends
    return findings.first_cause();
  } catch (const Failure&) {
  } catch (const NotRun&) {
  } catch (const std::exception&) {
  }
  workshop_.cause_searches = kMostCauseSearches;  // the next one might take as long, for nothing
  return std::nullopt;
}

void Check::start_checked_runner() {
  const std::string library = workshop_.library + ".checked.so";
  if (!workshop_.has_checked_library) {
    std::vector<std::string> compiler = workshop_.compiler;
    compiler.push_back("--check");
    compile(compiler, workshop_.source, library, workshop_.compile_limit);
    workshop_.has_checked_library = true;
  }
  finish();
  runner_ = std::make_unique<Runner>(workshop_.runner, library, workshop_.answer_limit);
  runner_is_checked_ = true;
  runner_->load(workshop_.operation);
}

void Check::is_safe(const std::vector<Case>& shapes) {
  if (!on_cpu()) return is_safe_on_gpu(shapes);
  const FindingsFile findings(workshop_.library + ".findings");
  start_checked_runner();
  for (const Case& shape : shapes) {
    const Problem problem = draw_next(shape);
    examine_errors(shape, call(problem, {.bare = true}));
  }
  finish();  // the findings are written when the process ends
  if (const auto finding = findings.first_error()) {
    throw Failure{finding->kind, finding->headline, finding->details};
  }
}

void Check::is_safe_on_gpu(const std::vector<Case>& shapes) {
  // Without a tool first, which tells how long the tools may take: a kernel that hangs does so under them as well.
  Requests requests;
  std::optional<Failure> failure;
  for (const Case& shape : shapes) {
    const Problem problem = draw_next(shape);
    const protocol::Request request =
        make_request(shape, prepared({.bare = true}), requests.headers.size() + 1);
    requests.add(request, request_message(problem, request));
    if (failure) continue;
    try {
      examine_errors(shape, call(problem, {.bare = true}));
    } catch (const Failure& found) {
      failure = found;
    }
  }
  if (failure)
    runner_.reset();
  else
    finish();
  const auto give_up = [&](const std::string& reason) {
    if (failure) throw *failure;
    not_run(reason);
  };

  std::vector<std::string> doubts;
  std::vector<Watched> watched;
  Sanitizer sanitizer(workshop_.sanitizer, workshop_.runner, workshop_.directory);
  try {
    doubts = sanitizer.prove(workshop_.compiler, workshop_.compile_limit, kToolLimit);
    std::vector<Sanitizer::Job> jobs;
    for (const Tool tool : kTools)
      jobs.push_back({tool, workshop_.library, workshop_.source, &requests});
    watched = sanitizer.watch(jobs, failure ? kFailingToolLimit : kToolLimit);
  } catch (const InternalError& error) {
    give_up(std::string("compute-sanitizer cannot be used: ") + error.what());
  }
  for (std::size_t n = 0; n < watched.size(); ++n) {
    if (!doubts[n].empty() || watched[n].findings.empty()) continue;
    const SafetyFinding& finding = watched[n].findings.front();
    throw Failure{
        finding.kind, finding.headline,
        finding.details + "\nfound by compute-sanitizer's " + tool_name(watched[n].tool)};
  }
  if (failure) throw *failure;
  for (std::size_t n = 0; n < watched.size(); ++n) {
    const std::string& why = doubts[n].empty() ? watched[n].gap : doubts[n];
    if (!why.empty())
      not_run(std::string("compute-sanitizer's ") + tool_name(watched[n].tool) + ": " + why);
  }
  note(
      std::string(
          "nothing found by compute-sanitizer, which does not look for races in global memory") +
      (sanitizer.sees_uninitialised_shared() ? "" : " or reads of shared memory without a value") +
      ": the CPU device does");
}

// A call whose result is right: a kernel that does something else in the checked build is not counted.
Answer Check::counted_call(const Case& shape) {
  if (!on_cpu()) not_run("only the CPU device counts accesses");
  also_needs("safety");
  if (!runner_is_checked_) start_checked_runner();
  const Problem problem = draw_next(shape);
  const Answer answer = call(problem, {.count = true});
  examine(problem, answer);
  if (answer.reply.counted == 0)
    throw InternalError("the checked build of the kernel was not counted");
  return answer;
}

protocol::Counts Check::counted(const Case& shape) { return counted_call(shape).reply.counts; }

void Check::shares_keys(const Case& shape, int most_trips) {
  const TrafficVerdict verdict = judge_passes(shape, counted(shape), most_trips);
  if (!verdict.accepted()) fail(shape, verdict.kind, verdict.words);
  note(verdict.words);
}

void Check::moves_16_bytes(const Case& shape) {
  const TrafficVerdict verdict = judge_width(counted(shape));
  if (!verdict.accepted()) fail(shape, verdict.kind, verdict.words);
  note(verdict.words);
}

void Check::skips_tiles(Case shape) {
  shape.N_q = shape.N_k = 1024;
  protocol::Counts full = counted(shape);
  const int length = skipping_length(passes_of(shape, full), shape.N_q);
  if (length != shape.N_q) {
    shape.N_q = shape.N_k = length;
    full = counted(shape);
  }
  shape.causal = true;
  const TrafficVerdict verdict = judge_skipping(shape, full, counted(shape));
  if (!verdict.accepted()) fail(shape, verdict.kind, verdict.words);
  note(verdict.words);
}

}  // namespace judge
