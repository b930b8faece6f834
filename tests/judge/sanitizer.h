// NVIDIA's compute-sanitizer in front of the runner: its tools see what a library's kernels do on a GPU.
//
// A tool is believed only after it has found a planted mistake (planted/unsafe.cu) on this machine, loaded by the same
// runner. What a tool finds makes a Failure; a tool that is missing or does not work never does.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "findings_file.h"
#include "process.h"
#include "runner/protocol.h"

namespace judge {

// In the order in which their findings are told.
enum class Tool { kMemcheck, kSynccheck, kRacecheck, kInitcheck };
inline constexpr std::array kTools = {
    Tool::kMemcheck, Tool::kSynccheck, Tool::kRacecheck, Tool::kInitcheck};

const char* tool_name(Tool tool);  // "memcheck"

// Requests as the runner reads them from a file.
struct Requests {
  std::vector<protocol::Request> headers;
  std::string messages;  // of all of them

  void add(const protocol::Request& request, const std::string& message);
};

// How a run under a tool ended.
struct Watched {
  Tool tool;
  std::vector<SafetyFinding> findings;
  std::string gap;  // why there may be more than was found, or ""
};

class Sanitizer {
 public:
  // program: compute-sanitizer; directory: where it may write, of our own.
  Sanitizer(std::string program, std::string runner, std::string directory)
      : program_(std::move(program)),
        runner_(std::move(runner)),
        directory_(std::move(directory)) {}

  // What one tool has to look at.
  struct Job {
    Tool tool;
    std::string library;
    std::string source;  // that the library was made of
    const Requests* requests;
  };

  // Runs all jobs at a time. The order of the answers is that of the jobs.
  std::vector<Watched> watch(const std::vector<Job>& jobs, Seconds limit) const;

  // Lets every tool find its planted mistake. Why a tool is not to be believed, "" if it is, in the order of kTools.
  // Judges with the same COURSE_SHARED_DIR share one proof.
  std::vector<std::string> prove(
      const std::vector<std::string>& compiler, Seconds compile_limit, Seconds limit);

  // Looks at shared memory that was never written as well; prove() finds out.
  bool sees_uninitialised_shared() const { return sees_uninitialised_shared_; }

 private:
  std::vector<std::string> command(Tool tool, const std::string& log) const;
  std::string help() const;
  std::vector<std::string> make_proof(
      const std::string& directory, const std::vector<std::string>& compiler, Seconds compile_limit,
      Seconds limit);

  std::string program_, runner_, directory_;
  bool sees_uninitialised_shared_ = false;
};

}  // namespace judge
