// Runs a program that was built with `cucc --check` and compares its findings with the expectations
// in its source.
//
//   check_findings PROGRAM SOURCE SCHEDULE...     SCHEDULE: forward, reverse or random
//
// The program must exit with 0. Exit status 0: all as expected; 1: a mismatch; 2: usage; 3: the
// expectations or the findings cannot be read.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "findings.h"

namespace {

// A folder of its own for a run's files, gone at the end of the scope.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "check_findings_XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// "exit status 0" or how else the program ended.
std::string run(
    const std::string& program, const std::string& schedule, const std::string& findings,
    const std::string& output) {
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot start a process");
  if (child == 0) {
    const int file = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    setenv("CPU_DEVICE_SCHEDULE", schedule.c_str(), 1);
    setenv("CPU_DEVICE_FINDINGS", findings.c_str(), 1);
    execl(program.c_str(), program.c_str(), static_cast<char*>(nullptr));
    std::perror(program.c_str());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

std::string text_of_file(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

bool is_as_expected(
    const std::string& program, const std::string& schedule,
    const std::vector<Expectation>& expectations) {
  const TemporaryFolder folder;
  const std::string findings_file = folder / "findings", output_file = folder / "output";
  const std::string end = run(program, schedule, findings_file, output_file);
  std::vector<std::string> wrong;
  if (end != "exit status 0") wrong.push_back("the program ended with " + end);
  std::vector<Finding> findings;
  if (std::filesystem::exists(findings_file)) {
    findings = read_findings(findings_file);
    for (const std::string& text : mismatches(findings, expectations)) wrong.push_back(text);
  } else {
    wrong.push_back("the program left no file of findings");
  }
  if (wrong.empty()) return true;
  std::printf("schedule %s:\n", schedule.c_str());
  for (const std::string& text : wrong) std::printf("  %s\n", text.c_str());
  std::printf("all findings:\n");
  for (const Finding& finding : findings) std::printf("  %s\n", finding.text.c_str());
  std::printf("output of the program:\n%s\n", text_of_file(output_file).c_str());
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: check_findings PROGRAM SOURCE SCHEDULE...\n");
    return 2;
  }
  try {
    const std::vector<Expectation> expectations = read_expectations(argv[2]);
    bool good = true;
    for (int i = 3; i < argc; ++i) good = is_as_expected(argv[1], argv[i], expectations) && good;
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "check_findings: %s\n", error.what());
    return 3;
  }
}
