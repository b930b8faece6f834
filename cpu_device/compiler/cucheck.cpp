// cucheck: compiles a CUDA program with every access checked, runs it, and reports what was found.
//   cucheck [--findings FILE] [cucc options] file.cu [-- arguments of the program]
// Exit status: 0 nothing found (warnings and notes do not count), 1 errors found, 2 wrong usage or a program that does
// not compile, 3 cucheck itself failed.
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

namespace {

using cpu_device::Strings;

constexpr const char* kUsage =
    "usage: cucheck [--findings FILE] [cucc options] file.cu [-- arguments of the program]\n"
    "Compiles a CUDA program for the CPU device with every access checked, runs it, and reports "
    "races,\n"
    "accesses out of bounds, uninitialised reads and more. --findings writes them as a table, "
    "too.\n";

// A folder that goes away with the object.
class Folder {
 public:
  Folder() : name_((std::filesystem::temp_directory_path() / "cucheck-XXXXXX").string()) {
    if (mkdtemp(name_.data()) == nullptr)
      throw std::runtime_error("cannot make a temporary folder");
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(name_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const char* name) const { return name_ + "/" + name; }

 private:
  std::string name_;
};

int check(const Strings& arguments, const std::string& own_path) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  Strings compile(arguments.begin(), end);
  const Folder folder;
  std::string findings = folder.file("findings");
  for (size_t i = 0; i < compile.size(); ++i) {
    if (compile[i] != "--findings") continue;
    if (i + 1 == compile.size()) return fputs("cucheck: --findings needs a file\n", stderr), 2;
    findings = compile[i + 1];
    compile.erase(
        compile.begin() + static_cast<ptrdiff_t>(i),
        compile.begin() + static_cast<ptrdiff_t>(i) + 2);
  }
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
  Strings command{program};
  if (end != arguments.end()) command.insert(command.end(), end + 1, arguments.end());
  try {
    cpu_device::run(command, nullptr, false, false);
  } catch (const cpu_device::ToolFailed&) {
    // The program's own failure; what was found is in the list all the same.
  }
  std::ifstream list(findings);
  if (!list) throw std::runtime_error("the program ended without a list of findings");
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
