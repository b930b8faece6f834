// cucheck: compiles a CUDA program with every access checked, runs it, and reports what was found.
//   cucheck [--count] [--findings FILE] [--counters FILE] [cucc options] file.cu [-- arguments of the program]
// Exit status: 0 nothing found (warnings and notes do not count), 1 errors found, 2 wrong usage or a program that does
// not compile, 3 cucheck itself failed, or the program ended before it could tell what was found.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "subprocess.h"
#include "temporary_folder.h"

namespace {

using cpu_device::Strings;
using cpu_device::TemporaryFolder;

constexpr const char* kUsage =
    "usage: cucheck [--count] [--findings FILE] [--counters FILE] [cucc options] file.cu [-- "
    "arguments]\n"
    "Compiles a CUDA program for the CPU device with every access checked, runs it with the "
    "arguments\n"
    "behind --, and reports races, accesses out of bounds, uninitialised reads and more.\n"
    "  --count          also prints what each kernel and each of its lines moved: requests, "
    "sectors,\n"
    "                   bank conflicts, by the definitions of ncu\n"
    "  --counters FILE  writes the counters as JSON\n"
    "  --findings FILE  writes the findings as a table, a line each\n"
    "Exit status: 0 no errors, 1 errors found, 2 wrong usage or a program that does not compile,\n"
    "3 cucheck itself failed, or the program ended before it could tell what was found.\n";

int check(const Strings& arguments, const std::string& own_path) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  Strings compile(arguments.begin(), end);
  const TemporaryFolder folder("cucheck");
  std::string findings = folder.file("findings");
  bool table = false;
  std::string counters;
  Strings rest;
  for (size_t i = 0; i < compile.size(); ++i) {
    if (compile[i] == "--count") {
      table = true;
    } else if (compile[i] == "--findings" || compile[i] == "--counters") {
      if (i + 1 == compile.size()) {
        fprintf(stderr, "cucheck: %s needs a file\n", compile[i].c_str());
        return 2;
      }
      (compile[i] == "--findings" ? findings : counters) = compile[i + 1];
      ++i;
    } else {
      rest.push_back(compile[i]);
    }
  }
  compile = rest;
  const std::string program = folder.file("program");
  const std::string cucc = (std::filesystem::path(own_path).parent_path() / "cucc").string();
  compile.insert(compile.begin(), {cucc, "--check"});
  compile.insert(compile.end(), {"-o", program});
  try {
    cpu_device::run(compile, nullptr, false, false);
  } catch (const cpu_device::ToolFailed&) {
    return 2;
  }
  setenv("CPU_DEVICE_FINDINGS", findings.c_str(), 1);
  setenv("CPU_DEVICE_COUNTERS", counters.c_str(), 1);
  setenv("CPU_DEVICE_COUNTER_TABLE", table ? "1" : "", 1);
  Strings command{program};
  if (end != arguments.end()) command.insert(command.end(), end + 1, arguments.end());
  try {
    cpu_device::run(command, nullptr, false, false);
  } catch (const cpu_device::ToolFailed& failed) {
    // The program's own failure; what was found is in the list all the same.
    fprintf(stderr, "cucheck: the program ended with exit status %d\n", failed.status);
  }
  std::ifstream list(findings);
  if (!list) throw std::runtime_error("the program ended before it could tell what was found");
  for (std::string line; std::getline(list, line);) {
    if (line.rfind("error\t", 0) == 0) return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Strings arguments(argv + 1, argv + argc);
  if (arguments.empty() || arguments[0] == "--help") {
    fputs(kUsage, arguments.empty() ? stderr : stdout);
    return arguments.empty() ? 2 : 0;
  }
  try {
    return check(arguments, std::filesystem::read_symlink("/proc/self/exe").string());
  } catch (const std::exception& error) {
    fprintf(stderr, "cucheck: %s\n", error.what());
    return 3;
  }
}
