// cucc: compiles CUDA C++ for the CPU device, with nvcc's way of calling.
//   cucc [-c | -shared | -E] [-o OUT] [options] file.cu [more.cu file.cpp file.o ...]
// Each .cu file is preprocessed by g++, rewritten line by line, and compiled by g++; then everything is linked with the
// runtime. Exit status: 0, or 1 when a compiler or the linker refused, 2 for wrong usage, 3 when cucc itself failed.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "rewriter.h"
#include "subprocess.h"
#include "temporary_folder.h"

namespace {

using cpu_device::run;
using cpu_device::Strings;
using cpu_device::TemporaryFolder;
using cpu_device::ToolFailed;

constexpr const char* kUsage =
    "usage: cucc [--check] [-c | -shared | -E] [-o OUT] [g++ options] file.cu [file.cpp file.o "
    "...]\n"
    "Compiles CUDA C++ for the CPU device. nvcc's device options (-arch, -gencode, -Xptxas, ...)\n"
    "are accepted and ignored; -Xcompiler options go to g++. -v prints the commands. With --check "
    "the\n"
    "program checks every access of its kernels and reports what it finds when it ends.\n"
    "The compiler is $CXX_FOR_CUCC, by default g++.\n";

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct Options {
  enum class Stop { kLink, kObject, kRewritten } stop = Stop::kLink;
  bool check = false;
  bool verbose = false;
  bool optimised = false;
  bool standard = false;
  std::string output;
  Strings sources;     // .cu
  Strings objects;     // everything else that the compiler or linker reads, in order
  Strings compile;     // options for both compilations
  Strings preprocess;  // options for the first one: dependencies
};

std::string compiler() {
  const char* const chosen = getenv("CXX_FOR_CUCC");
  return chosen != nullptr && *chosen != '\0' ? chosen : "g++";
}

// Whether that compiler is clang, which has other names for some options. Asked of it once, and not of plain g++.
bool is_clang() {
  static const bool answer = [] {
    if (compiler() == "g++") return false;
    const std::string macros =
        run({compiler(), "-dM", "-E", "-x", "c++", "/dev/null"}, nullptr, true, false);
    return macros.find("#define __clang__ ") != std::string::npos;
  }();
  return answer;
}

// The beginning of each of its commands.
Strings compiler_command() {
  if (!is_clang()) return {compiler()};
  // Every command gets all options of the program, and clang warns of those that mean nothing to it.
  return {compiler(), "-Wno-unused-command-line-argument"};
}

bool starts_with(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

Strings split(const std::string& list) {
  Strings parts(1);
  for (const char c : list) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

Options parse(const Strings& arguments) {
  Options options;
  size_t i = 0;
  const auto value = [&](const std::string& option) {
    if (++i >= arguments.size()) throw UsageError(option + " needs a value");
    return arguments[i];
  };
  for (; i < arguments.size(); ++i) {
    const std::string& a = arguments[i];
    const std::filesystem::path path(a);
    if (a == "-c") {
      options.stop = Options::Stop::kObject;
    } else if (a == "-E") {
      options.stop = Options::Stop::kRewritten;
    } else if (a == "--check") {
      options.check = true;
    } else if (a == "-v") {
      options.verbose = true;
    } else if (a == "-o") {
      options.output = value(a);
    } else if (a == "-MF" || a == "-MT" || a == "-MQ") {
      options.preprocess.push_back(a);
      options.preprocess.push_back(value(a));
    } else if (a == "-MD" || a == "-MMD" || a == "-MP") {
      options.preprocess.push_back(a);
    } else if (a == "-Xcompiler" || a == "--compiler-options") {
      for (std::string& part : split(value(a))) options.compile.push_back(std::move(part));
    } else if (a == "-I" || a == "-D" || a == "-U" || a == "-isystem" || a == "-include") {
      options.compile.push_back(a);
      options.compile.push_back(value(a));
    } else if (
        a == "-Xptxas" || a == "-Xcudafe" || a == "-Xlinker" || a == "-gencode" || a == "-arch" ||
        a == "-code" || a == "-cudart" || a == "-maxrregcount" || a == "-diag-suppress" ||
        a == "-Werror") {
      // nvcc's -Werror takes a list of its own kinds; g++'s stands alone.
      if (a == "-Werror" && (i + 1 >= arguments.size() || starts_with(arguments[i + 1], "-") ||
                             !starts_with(arguments[i + 1], "all-warnings"))) {
        options.compile.push_back(a);
      } else {
        value(a);
        if (a == "-Werror") options.compile.push_back(a);
      }
    } else if (
        starts_with(a, "-arch=") || starts_with(a, "-gencode=") || starts_with(a, "-cudart=") ||
        starts_with(a, "--expt-") || starts_with(a, "--extended-lambda") || a == "-lineinfo" ||
        a == "--generate-line-info" || a == "-use_fast_math" || a == "--use_fast_math" ||
        starts_with(a, "-maxrregcount=") || a == "-G" || a == "-lcudart" || a == "-rdc=true" ||
        starts_with(a, "-diag-suppress=")) {
      continue;
    } else if (starts_with(a, "-l") || starts_with(a, "-L") || starts_with(a, "-Wl,")) {
      options.objects.push_back(a);
    } else if (a.size() > 1 && a[0] == '-') {
      if (starts_with(a, "-O")) options.optimised = true;
      if (starts_with(a, "-std=")) {
        options.standard = true;
        // The CPU device's headers are C++20; C++17 programs mean the same in it.
        options.compile.push_back("-std=c++20");
        continue;
      }
      options.compile.push_back(a);
    } else if (path.extension() == ".cu") {
      options.sources.push_back(a);
    } else {
      options.objects.push_back(a);
    }
  }
  if (options.sources.empty() && options.objects.empty()) throw UsageError("no input file");
  for (const std::string& source : options.sources) {
    if (!std::filesystem::exists(source)) throw UsageError(source + ": no such file");
    if (std::filesystem::is_directory(source)) throw UsageError(source + " is a directory");
  }
  if (options.stop != Options::Stop::kLink && !options.output.empty() &&
      options.sources.size() > 1) {
    throw UsageError("-o with several sources needs linking");
  }
  if (!options.optimised) options.compile.push_back("-O2");
  if (!options.standard) options.compile.push_back("-std=c++20");
  return options;
}

void append(Strings& list, const Strings& more) {
  list.insert(list.end(), more.begin(), more.end());
}

// How checked code sees float4 and its siblings: as classes that are copied as a whole, or as plain structures, which
// unions and nested braces may need.
enum class Vectors { kWhole, kPlain };

std::string rewritten(
    const Options& options, const std::string& source, Vectors vectors = Vectors::kWhole) {
  Strings command = compiler_command();
  append(
      command, {"-E", "-x", "c++", "-DCPU_DEVICE_PREPROCESSING", "-isystem", CPU_DEVICE_INCLUDE_DIR,
                "-include", "cuda_runtime.h"});
  if (options.check) command.push_back("-DCPU_DEVICE_CHECKED");
  if (vectors == Vectors::kPlain) command.push_back("-DCPU_DEVICE_PLAIN_VECTORS");
  append(command, options.compile);
  append(command, options.preprocess);
  const bool dependencies = !options.preprocess.empty() && !options.output.empty();
  if (dependencies) append(command, {"-MT", options.output});
  command.push_back(source);
  return cpu_device::rewrite(
      run(command, nullptr, true, options.verbose),
      options.check ? cpu_device::RewriteMode::kChecked : cpu_device::RewriteMode::kFast);
}

Strings language_options() {
  Strings options = {
      "-fPIC", "-g",
      // Device code reinterprets memory freely, and threadIdx must not be read ahead of a switch.
      "-fno-strict-aliasing",
      // CUDA code compares int with threadIdx.x, and adds to volatile shared memory.
      "-Wno-sign-compare", is_clang() ? "-Wno-deprecated-volatile" : "-Wno-volatile"};
  if (is_clang()) {
    // addr2line (binutils 2.40) takes the wrong file from clang's DWARF 5; and every kernel gets the attribute noclone,
    // which g++ alone knows.
    append(options, {"-gdwarf-4", "-Wno-unknown-attributes"});
  } else {
    options.push_back("-fno-gnu-unique");
  }
  return options;
}

// Options that let every access of the source arrive at the runtime, once and with its own size.
Strings check_options() {
  Strings options = {"-fsanitize=thread", "-fno-optimize-sibling-calls"};
  if (is_clang()) {
    // Left alone, clang makes memcpy and memset of loops and vectors of neighbouring accesses, and is silent about a
    // read that a write to the same place follows. Its -fsanitize=bounds also has checks that end the program.
    append(
        options, {"-fsanitize=array-bounds,alignment", "-fno-builtin", "-fno-vectorize",
                  "-fno-slp-vectorize", "-mllvm", "-tsan-instrument-read-before-write=1", "-mllvm",
                  "-tsan-instrument-func-entry-exit=0", "-mllvm", "-tsan-distinguish-volatile=1"});
  } else {
    append(
        options, {"-fsanitize=bounds,alignment", "-Wno-tsan", "--param",
                  "tsan-instrument-func-entry-exit=0", "--param", "tsan-distinguish-volatile=1"});
  }
  return options;
}

// errors: a file for what the compiler has to say, or null.
void compile_with(
    const Options& options, const std::string& source, const std::string& object, Vectors vectors,
    const char* errors) {
  Strings command = compiler_command();
  append(command, {"-x", "c++-cpp-output", "-c"});
  append(command, language_options());
  append(command, options.compile);
  // Behind -O2, which turns clang's vectorizers on again.
  if (options.check) append(command, check_options());
  append(command, {"-", "-o", object});
  const std::string text = rewritten(options, source, vectors);
  run(command, &text, false, options.verbose, errors);
}

void compile(const Options& options, const std::string& source, const std::string& object) {
  if (!options.check) return compile_with(options, source, object, Vectors::kWhole, nullptr);
  const TemporaryFolder folder("cucc");
  const std::string errors = folder.file("errors");
  try {
    compile_with(options, source, object, Vectors::kWhole, errors.c_str());
  } catch (const ToolFailed&) {
    return compile_with(options, source, object, Vectors::kPlain, nullptr);
  }
  std::ifstream warnings(errors);
  if (warnings.peek() != std::ifstream::traits_type::eof()) std::cerr << warnings.rdbuf();
}

void link(const Options& options) {
  const TemporaryFolder folder("cucc");
  Strings objects;
  for (size_t i = 0; i < options.sources.size(); ++i) {
    objects.push_back(folder.file(std::to_string(i) + ".o"));
    compile(options, options.sources[i], objects.back());
  }
  Strings command = compiler_command();
  append(command, {"-g", "-fPIC"});
  append(command, options.compile);
  append(command, {"-isystem", CPU_DEVICE_INCLUDE_DIR});
  append(command, objects);
  append(command, options.objects);
  if (options.check) {
    for (const char* const function :
         {"memcpy", "memmove", "memset", "exp", "expf", "exp2", "exp2f", "exp10", "exp10f", "expm1",
          "expm1f"}) {
      command.push_back(std::string("-Wl,--wrap=") + function);
    }
  }
  append(
      command, {"-Wl,-Bsymbolic", std::string("-L") + CPU_DEVICE_LIBRARY_DIR, "-lcpu_device",
                std::string("-Wl,-rpath,") + CPU_DEVICE_LIBRARY_DIR, "-o",
                options.output.empty() ? "a.out" : options.output});
  run(command, nullptr, false, options.verbose);
}

void build(const Options& options) {
  if (options.stop == Options::Stop::kLink) return link(options);
  if (!options.objects.empty()) throw UsageError("-c and -E take .cu files only");
  for (const std::string& source : options.sources) {
    if (options.stop == Options::Stop::kRewritten) {
      const std::string text = rewritten(options, source);
      FILE* const file = options.output.empty() ? stdout : fopen(options.output.c_str(), "w");
      if (file == nullptr) throw std::runtime_error("cannot write " + options.output);
      fwrite(text.data(), 1, text.size(), file);
      if (file != stdout) fclose(file);
    } else {
      const std::string object = std::filesystem::path(source).filename().replace_extension(".o");
      compile(options, source, options.output.empty() ? object : options.output);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  const Strings arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && arguments[0] == "--help") {
    fputs(kUsage, stdout);
    return 0;
  }
  try {
    build(parse(arguments));
    return 0;
  } catch (const UsageError& error) {
    fprintf(stderr, "cucc: %s\n%s", error.what(), kUsage);
    return 2;
  } catch (const ToolFailed&) {
    return 1;
  } catch (const std::exception& error) {
    fprintf(stderr, "cucc: %s\n", error.what());
    return 3;
  }
}
