#include "options.h"

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>

namespace judge {

std::uint64_t parse_seed(const std::string& text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  const std::string digits = hexadecimal ? text.substr(2) : text;
  bool valid = !digits.empty();
  for (const unsigned char c : digits)
    valid = valid && (hexadecimal ? std::isxdigit(c) != 0 : std::isdigit(c) != 0);
  errno = 0;
  const std::uint64_t seed = std::strtoull(digits.c_str(), nullptr, hexadecimal ? 16 : 10);
  if (!valid || errno != 0)
    throw std::invalid_argument(
        "--seed takes a 64-bit number, decimal or hexadecimal with 0x, not '" + text + "'");
  return seed;
}

namespace {

int parse_count(const std::string& name, const std::string& text) {
  const bool valid = !text.empty() && text.size() <= 4 &&
                     text.find_first_not_of("0123456789") == std::string::npos &&
                     text.find_first_not_of('0') != std::string::npos;
  if (!valid) throw std::invalid_argument(name + " takes a positive number, not '" + text + "'");
  return std::stoi(text);
}

}  // namespace

Options parse_options(
    const std::vector<std::string>& arguments, const std::string& default_device) {
  Options options;
  options.device = default_device;
  for (std::size_t n = 0; n < arguments.size(); ++n) {
    std::string name = arguments[n], value;
    const std::size_t equals = name.find('=');
    const bool known = [&] {
      const std::string bare = name.substr(0, equals);
      return bare == "--source" || bare == "--device" || bare == "--seed" || bare == "--check" ||
             bare == "--stub-sha256" || bare == "--checks-per-process";
    }();
    if (!known) throw std::invalid_argument("unknown argument '" + name + "'");
    if (equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    } else if (n + 1 < arguments.size()) {
      value = arguments[++n];
    } else {
      throw std::invalid_argument(name + " needs a value");
    }
    if (name == "--source") options.source = value;
    if (name == "--device") options.device = value;
    if (name == "--seed") options.seed = parse_seed(value);
    if (name == "--check") options.checks.push_back(value);
    if (name == "--stub-sha256") options.stub_sha256 = value;
    if (name == "--checks-per-process") options.checks_per_process = parse_count(name, value);
  }
  if (options.source.empty()) throw std::invalid_argument("--source FILE is missing");
  if (options.device != "cpu" && options.device != "cuda")
    throw std::invalid_argument("--device is cpu or cuda, not '" + options.device + "'");
  return options;
}

const char* options_help() {
  return "  --source FILE         the kernel file to grade (required)\n"
         "  --device cpu|cuda     the device to run it on; this build supports one of them\n"
         "  --seed N              seed of all inputs, 64 bits, decimal or 0x...; default "
         "0x5eed1234\n"
         "  --check NAME          only this check and those it depends on; may be given again\n"
         "  --checks-per-process N  on a GPU, where starting a process costs a third of a second, "
         "let "
         "one serve\n"
         "                        N checks that pass; default 1\n"
         "  --stub-sha256 HEX     a file with this SHA-256 is the untouched stub\n"
         "  --gtest_output=json:F writes the verdicts to F\n"
         "Exit status: 0 no check failed, 1 a check failed or the file is the untouched stub, 2 "
         "usage,\n"
         "3 internal error.\n";
}

}  // namespace judge
