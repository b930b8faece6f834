// Running another program, with text for its standard input and its output captured.
#pragma once

#include <string>
#include <vector>

namespace cpu_device {

using Strings = std::vector<std::string>;

// A program that was started has failed and has said why.
struct ToolFailed {
  int status;
};

// Runs a command. input goes to its standard input; with capture its standard output is returned; its standard error
// goes to the file that errors names, if any.
// Throws ToolFailed when the program's exit status is not 0, std::runtime_error when it cannot run.
std::string run(
    const Strings& command, const std::string* input, bool capture, bool verbose,
    const char* errors = nullptr);

}  // namespace cpu_device
