#include "sanitizer.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <utility>

#include "build_paths.h"
#include "compile.h"
#include "inputs.h"
#include "runner_client.h"
#include "sanitizer_log.h"
#include "shared_directory.h"
#include "text.h"
#include "verdict.h"

namespace judge {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kPlantedMistakes[] = "/tests/judge/planted/unsafe.cu";
constexpr char kOptionForShared[] = "--initcheck-address-space";
constexpr int kFirstPort =
    20'000;                 // of the ports through which a tool and its program find each other
constexpr int kPorts = 16;  // for each run; a tool takes 10 of them at most
constexpr int kPortRanges = 2500;
constexpr Seconds kLeast{1};  // for a run whose turn comes after the time is over

// The head_dim with which planted/unsafe.cu makes the mistake that a tool has to find.
int planted_mistake(Tool tool) { return 1 + static_cast<int>(tool); }

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& text) {
  if (!(std::ofstream(path, std::ios::binary) << text)) throw InternalError("cannot write " + path);
}

// Takes a struct from the start of the bytes that are left.
template <typename Struct>
bool take(std::string_view* bytes, Struct* result) {
  if (bytes->size() < sizeof(Struct)) return false;
  std::memcpy(result, bytes->data(), sizeof(Struct));
  bytes->remove_prefix(sizeof(Struct));
  return true;
}

// Why the answers do not show that every request was served, or "".
std::string missing_answers(std::string_view bytes, const std::vector<protocol::Request>& asked) {
  protocol::Hello hello{};
  if (!take(&bytes, &hello) || !take(&bytes, &hello)) return "the runner did not start";
  if (hello.status != protocol::LoadStatus::kReady) return "the runner could not load the library";
  for (const protocol::Request& request : asked) {
    protocol::Reply reply{};
    if (!take(&bytes, &reply) || bytes.size() < reply.payload_bytes ||
        reply.sequence != request.sequence)
      return format(
          "the process ended in case %llu of %zu",
          static_cast<unsigned long long>(request.sequence), asked.size());
    bytes.remove_prefix(reply.payload_bytes);
    if (reply.status != protocol::Status::kDone || reply.returned != 0 || reply.sync_error != 0)
      return format(
          "case %llu of %zu failed there, and only there",
          static_cast<unsigned long long>(request.sequence), asked.size());
  }
  return "";
}

}  // namespace

const char* tool_name(Tool tool) {
  switch (tool) {
    case Tool::kMemcheck:
      return "memcheck";
    case Tool::kSynccheck:
      return "synccheck";
    case Tool::kRacecheck:
      return "racecheck";
    case Tool::kInitcheck:
      return "initcheck";
  }
  return "?";
}

void Requests::add(const protocol::Request& request, const std::string& message) {
  headers.push_back(request);
  messages += message;
}

std::vector<std::string> Sanitizer::command(Tool tool, const std::string& log) const {
  std::vector<std::string> words = {program_, "--tool",           tool_name(tool), "--log-file",
                                    log,      "--show-backtrace", "device"};
  switch (tool) {
    case Tool::kMemcheck:
      // Where one allocation begins right behind another, an access behind the end of the first is inside the second.
      words.insert(
          words.end(),
          {"--padding", "256", "--report-api-errors", "no", "--track-stream-ordered-races", "all"});
      break;
    case Tool::kInitcheck:
      if (sees_uninitialised_shared_) words.insert(words.end(), {kOptionForShared, "all"});
      break;
    case Tool::kSynccheck:
    case Tool::kRacecheck:
      break;
  }
  return words;
}

std::vector<Watched> Sanitizer::watch(const std::vector<Job>& jobs, Seconds limit) const {
  struct Run {
    std::string log, answers;
    std::unique_ptr<Process> process;
  };
  std::vector<Run> runs;
  const auto start = Clock::now();
  for (const Job& job : jobs) {
    const std::string name = directory_ + format("/watch-%zu", runs.size());
    Run run = {name + ".log", name + ".answers", nullptr};
    for (const std::string& old : {run.log, run.answers}) unlink(old.c_str());
    write_file(name + ".requests", job.requests->messages);
    std::vector<std::string> words = command(job.tool, run.log);
    const int range = static_cast<int>(getpid() * jobs.size() + runs.size()) % kPortRanges;
    words.insert(words.end(), {"--port", std::to_string(kFirstPort + kPorts * range)});
    words.insert(words.end(), {runner_, job.library, name + ".requests", run.answers});
    run.process = std::make_unique<Process>(words, Process::Pipes::kNone);
    runs.push_back(std::move(run));
  }
  std::vector<Watched> watched;
  for (std::size_t n = 0; n < jobs.size(); ++n) {
    const Seconds left = std::max<Seconds>(limit - (Clock::now() - start), kLeast);
    std::size_t unexpected = 0;
    const bool in_time = runs[n].process->finish(left, &unexpected) == Process::Event::kDone;
    const SanitizerLog log = read_sanitizer_log(read_file(runs[n].log), jobs[n].source);
    Watched one = {jobs[n].tool, log.findings, ""};
    if (!in_time)
      one.gap = format("it did not end within %.0f s", limit.count());
    else if (!log.complaint.empty())
      one.gap = "it said: " + log.complaint;
    else if (!log.complete)
      one.gap = "it " + runs[n].process->ending() + " without a summary";
    else
      one.gap = missing_answers(read_file(runs[n].answers), jobs[n].requests->headers);
    watched.push_back(std::move(one));
  }
  return watched;
}

std::string Sanitizer::help() const {
  Process process({program_, "--help"}, Process::Pipes::kNone);
  std::size_t unexpected = 0;
  process.finish(Seconds{20}, &unexpected);
  return process.output();
}

std::vector<std::string> Sanitizer::make_proof(
    const std::string& directory, const std::vector<std::string>& compiler, Seconds compile_limit,
    Seconds limit) {
  const std::string source = std::string(kSourceRoot) + kPlantedMistakes;
  const std::string library = directory + "/libunsafe.so";
  sees_uninitialised_shared_ = help().find(kOptionForShared) != std::string::npos;
  try {
    compile(compiler, source, library, compile_limit);
  } catch (const Failure& failure) {
    throw InternalError("the planted mistakes: " + failure.headline + "\n" + failure.details);
  }
  std::vector<Requests> requests(kTools.size());
  std::vector<Job> jobs;
  for (const Tool tool : kTools) {
    const Problem problem = draw({.N_q = 64, .N_k = 64, .d = planted_mistake(tool)}, 1);
    const protocol::Request request = make_request(problem.shape, {.bare = true}, 1);
    Requests& own = requests[jobs.size()];
    own.add(request, request_message(problem, request));
    jobs.push_back({tool, library, source, &own});
  }
  std::vector<std::string> doubts;
  for (const Watched& one : watch(jobs, limit)) {
    const bool found = !one.findings.empty() && one.findings[0].place.starts_with("at unsafe.cu:");
    doubts.push_back(found ? "" : one.gap.empty() ? "it does not find a planted mistake" : one.gap);
  }
  return doubts;
}

std::vector<std::string> Sanitizer::prove(
    const std::vector<std::string>& compiler, Seconds compile_limit, Seconds limit) {
  const std::string directory = shared_directory(directory_);
  const Lock lock(directory + "/sanitizer.lock");
  const std::string path = directory + "/sanitizer.proof";
  // One line for shared memory, one for each tool.
  std::vector<std::string> lines;
  std::istringstream known(read_file(path));
  for (std::string line; std::getline(known, line);) lines.push_back(line);
  if (lines.size() == 1 + kTools.size()) {
    sees_uninitialised_shared_ = lines[0] == "shared";
    return {lines.begin() + 1, lines.end()};
  }
  std::vector<std::string> doubts = make_proof(directory, compiler, compile_limit, limit);
  std::string text = sees_uninitialised_shared_ ? "shared\n" : "global\n";
  for (std::string& doubt : doubts) {
    std::replace(doubt.begin(), doubt.end(), '\n', ' ');
    text += doubt + "\n";
  }
  write_file(path, text);
  return doubts;
}

}  // namespace judge
