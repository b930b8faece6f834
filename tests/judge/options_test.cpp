#include "judge/options.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace judge {
namespace {

TEST(Options, SeedsAreHexadecimalOrDecimalAndHave64Bits) {
  EXPECT_EQ(parse_seed("0x5eed1234"), 0x5eed1234u);
  EXPECT_EQ(parse_seed("0xffffffffffffffff"), ~std::uint64_t{0});
  EXPECT_EQ(parse_seed("18446744073709551615"), ~std::uint64_t{0});
  EXPECT_EQ(parse_seed("010"), 10u);
  for (const char* bad : {"", "0x", "-1", " 1", "1 ", "12x", "0x1g", "18446744073709551616"})
    EXPECT_THROW(parse_seed(bad), std::invalid_argument) << bad;
}

TEST(Options, AreReadInBothSpellings) {
  const Options options = parse_options(
      {"--source", "a.cu", "--device=cuda", "--seed", "7", "--check=ragged", "--check", "traffic"},
      "cpu");
  EXPECT_EQ(options.source, "a.cu");
  EXPECT_EQ(options.device, "cuda");
  EXPECT_EQ(options.seed, 7u);
  EXPECT_EQ(options.checks, (std::vector<std::string>{"ragged", "traffic"}));
}

TEST(Options, ChecksPerProcessIsAPositiveNumber) {
  EXPECT_EQ(parse_options({"--source", "a.cu"}, "cpu").checks_per_process, 1);
  EXPECT_EQ(
      parse_options({"--source", "a.cu", "--checks-per-process=8"}, "cpu").checks_per_process, 8);
  for (const char* bad : {"", "0", "-1", "1x", "99999"})
    EXPECT_THROW(
        parse_options({"--source", "a.cu", "--checks-per-process", bad}, "cpu"),
        std::invalid_argument)
        << bad;
}

TEST(Options, MistakesAreNamed) {
  const auto complaint = [](const std::vector<std::string>& arguments) -> std::string {
    try {
      parse_options(arguments, "cpu");
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(complaint({}), "--source FILE is missing");
  EXPECT_EQ(complaint({"--source"}), "--source needs a value");
  EXPECT_EQ(complaint({"--sauce", "x"}), "unknown argument '--sauce'");
  EXPECT_EQ(complaint({"--source", "x", "--device", "tpu"}), "--device is cpu or cuda, not 'tpu'");
  EXPECT_EQ(complaint({"--source", "x"}), "");
}

}  // namespace
}  // namespace judge
