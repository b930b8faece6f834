#include "compile.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "text.h"
#include "verdict.h"

namespace judge {
namespace {

constexpr int kMostLines = 40;     // of compiler messages that are shown
constexpr int kCompilerFault = 3;  // exit status with which the compiler driver blames itself

// One line: "kernels/01_naive.cu is a directory, not a CUDA source file".
[[noreturn]] void fail(const std::string& source, const std::string& what) {
  throw Failure{"compile error", sanitised(source) + " " + what, ""};
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  const char* const base = std::getenv("TMPDIR");
  path_ = std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/judge-XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) {
    const std::string why = std::strerror(errno);
    throw InternalError(
        format("cannot make a temporary directory %s: %s", path_.c_str(), why.c_str()));
  }
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void require_source(const std::string& source) {
  struct stat status {};
  if (stat(source.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) fail(source, "does not exist");
    fail(source, format("cannot be read: %s", std::strerror(errno)));
  }
  if (S_ISDIR(status.st_mode)) fail(source, "is a directory, not a CUDA source file");
  if (!S_ISREG(status.st_mode)) fail(source, "is not a regular file");
  if (access(source.c_str(), R_OK) != 0)
    fail(source, format("cannot be read: %s", std::strerror(errno)));
}

void compile(
    const std::vector<std::string>& compiler, const std::string& source, const std::string& library,
    Seconds limit) {
  require_source(source);
  std::vector<std::string> command = compiler;
  command.insert(command.end(), {"-o", library});
  command.push_back(source[0] == '-' ? "./" + source : source);
  Process process(command, Process::Pipes::kNone);
  std::size_t unexpected = 0;
  const Process::Event event = process.finish(limit, &unexpected);
  if (event == Process::Event::kTimedOut)
    fail(source, format("was not compiled within %.0f s", limit.count()));
  const std::string messages = first_lines(sanitised(process.output()), kMostLines);
  if (process.exited_with(kCompilerFault))
    throw InternalError("the compiler failed for reasons of its own\n" + messages);
  if (!process.exited_with(0))
    throw Failure{
        "compile error", sanitised(source) + " does not compile",
        messages.empty() ? "the compiler " + process.ending() : messages};
  if (access(library.c_str(), R_OK) != 0)
    fail(source, "was compiled without an error, but there is no library");
}

}  // namespace judge
