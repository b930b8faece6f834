// The command line of a lesson's test.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace judge {

struct Options {
  std::string source;
  std::string device;
  std::uint64_t seed = 0x5eed1234;
  std::vector<std::string> checks;  // none for all
  int checks_per_process = 1;       // that a runner serves, on a GPU
  std::string stub_sha256;          // "" if there is no stub to recognise
};

// Throws std::invalid_argument with one line that says what is wrong. default_device is used without --device.
Options parse_options(const std::vector<std::string>& arguments, const std::string& default_device);

const char* options_help();

// Decimal, or hexadecimal with 0x; all 64 bits. Throws std::invalid_argument.
std::uint64_t parse_seed(const std::string& text);

}  // namespace judge
