#include "judge/memory_rule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace judge {
namespace {

constexpr double kMiB = 1 << 20;

MemoryGrowth growth_of(const std::function<double(double)>& bytes_at, int heads = 1) {
  std::array<std::uint64_t, kMemorySizes.size()> bytes{};
  for (std::size_t n = 0; n < bytes.size(); ++n)
    bytes[n] = static_cast<std::uint64_t>(bytes_at(kMemorySizes[n]));
  return memory_growth(bytes, heads);
}

struct Profile {
  const char* name;
  std::function<double(double)> bytes;
  Growth growth;
};

TEST(MemoryRule, JudgesEveryProfileRight) {
  const Profile profiles[] = {
      {"nothing", [](double) { return 0.0; }, Growth::kNone},
      {"constant", [](double) { return 64 * kMiB; }, Growth::kConstant},
      {"S", [](double N) { return 4 * N * N; }, Growth::kQuadratic},
      {"S and P", [](double N) { return 8 * N * N; }, Growth::kQuadratic},
      {"mask of bits", [](double N) { return N * N / 8; }, Growth::kQuadratic},
      {"one row per tile, and a constant that hides it",
       [](double N) { return 4 * N * N / 128 + 64 * kMiB; }, Growth::kQuadratic},
      {"LSE", [](double N) { return 4 * N; }, Growth::kSubquadratic},
      {"a copy of O", [](double N) { return 256 * N; }, Growth::kSubquadratic},
      {"LSE and a constant", [](double N) { return 4 * N + 64 * kMiB; }, Growth::kSubquadratic},
      {"N log N", [](double N) { return 64 * N * std::log2(N); }, Growth::kSubquadratic},
      {"splits, capped", [](double N) { return 256 * N * std::min(N / 256, 32.0); },
       Growth::kSubquadratic},
      {"rounded to pages", [](double N) { return std::ceil(4 * N / (2 * kMiB)) * 2 * kMiB; },
       Growth::kConstant},
      {"N^2, but tiny", [](double N) { return N * N / 65536; }, Growth::kSubquadratic},
      {"N^3", [](double N) { return N * N * N / 1e6; }, Growth::kBeyond},
      {"freed before it doubles", [](double N) { return N > 20000 ? 10 * kMiB : 40 * kMiB; },
       Growth::kSubquadratic},
  };
  for (const Profile& profile : profiles)
    EXPECT_EQ(growth_of(profile.bytes).growth, profile.growth) << profile.name;
}

TEST(MemoryRule, NamesTheScoreMatrix) {
  const MemoryGrowth growth = growth_of([](double N) { return 2 * 4 * N * N + 1000; }, 2);
  EXPECT_NEAR(growth.coefficient, 4, 1e-6);
  EXPECT_EQ(growth.words, "4 N^2 bytes per head: one float per (query, key) pair, the matrix S");
}

TEST(MemoryRule, NamesOtherTerms) {
  EXPECT_EQ(
      growth_of([](double N) { return 8 * N * N; }).words,
      "8 N^2 bytes per head: two floats per (query, key) pair, the matrices S and P");
  EXPECT_EQ(growth_of([](double N) { return 6 * 4 * N; }, 6).words, "4 N bytes per head");
  EXPECT_EQ(growth_of([](double) { return 1536.0; }).words, "1.5 KiB, whatever N is");
  EXPECT_EQ(
      growth_of([](double) { return 0.0; }).words, "none: nothing that grows with N is stored");
}

}  // namespace
}  // namespace judge
