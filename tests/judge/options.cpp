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
             bare == "--stub-sha256";
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
         "  --stub-sha256 HEX     a file with this SHA-256 is the untouched stub\n"
         "  --gtest_output=json:F writes the verdicts to F\n"
         "Exit status: 0 no check failed, 1 a check failed or the file is the untouched stub, 2 "
         "usage,\n"
         "3 internal error.\n";
}

}  // namespace judge
