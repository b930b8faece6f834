// Runs micro-kernels: all of them, or those named on the command line. --list prints the names.
// Exit status: 0 all ran, 1 one failed, 2 there is none of that name.
#include <cstdio>
#include <cstring>

#include "micro_kernels.h"

namespace {

bool exists(const char* name) {
  for (const char* const* known = micro_kernel_names(); *known != nullptr; ++known) {
    if (std::strcmp(name, *known) == 0) return true;
  }
  return false;
}

bool run(const char* name) {
  const int error = run_micro_kernel(name);
  if (error != 0) std::fprintf(stderr, "micro_kernels: %s: CUDA error %d\n", name, error);
  return error == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const char* const* name = micro_kernel_names(); *name != nullptr; ++name) std::puts(*name);
    return 0;
  }
  for (int i = 1; i < argc; ++i) {
    if (exists(argv[i])) continue;
    std::fprintf(stderr, "micro_kernels: no kernel '%s' (--list prints the names)\n", argv[i]);
    return 2;
  }
  bool passed = true;
  if (argc > 1) {
    for (int i = 1; i < argc; ++i) passed = run(argv[i]) && passed;
  } else {
    for (const char* const* name = micro_kernel_names(); *name != nullptr; ++name)
      passed = run(*name) && passed;
  }
  return passed ? 0 : 1;
}
