#include "judge/bound.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "runner/protocol.h"
#include "simulated_attention.h"

namespace judge {
namespace {

constexpr std::uint32_t kFiller = protocol::filler_bits(protocol::kO);

const std::vector<Case>& shapes() {
  static const std::vector<Case> all = {
      {.N_q = 1, .N_k = 1},
      {.N_q = 33, .N_k = 33},
      {.N_q = 65, .N_k = 130, .d = 32},
      {.batch = 2, .heads = 2, .N_q = 48, .N_k = 48, .d = 6},
      {.N_q = 130, .N_k = 130, .d = 16},
      {.N_q = 3, .N_k = 4096, .d = 16},
      {.N_q = 2, .N_k = 9000, .d = 4},
      {.N_q = 20, .N_k = 30, .d = 8, .scale = -0.7, .custom_scale = true},
      {.N_q = 20, .N_k = 30, .d = 8, .scale = 0, .custom_scale = true},
  };
  return all;
}

TEST(Bound, AcceptsEveryRightVariantOnEveryFamily) {
  for (const Variant& variant : right_variants())
    for (Case c : shapes())
      for (const Family family : kAllFamilies) {
        c.inputs = family;
        const Problem problem = draw(c, 1);
        const Comparison comparison = compare(problem, variant.run(problem).data(), kFiller);
        EXPECT_TRUE(comparison.accepted())
            << variant.name << " on " << c.words() << ": " << comparison.worst.ratio;
        EXPECT_LT(comparison.worst.ratio, 0.5) << variant.name << " on " << c.words();
      }
}

TEST(Bound, RejectsEveryWrongVariantOnSomeFamily) {
  for (const Variant& variant : wrong_variants()) {
    int rejected = 0;
    for (const Family family : kAllFamilies) {
      const Problem problem = draw({.N_q = 48, .N_k = 48, .d = 6, .inputs = family}, 2);
      if (!compare(problem, variant.run(problem).data(), kFiller).accepted()) ++rejected;
    }
    EXPECT_GT(rejected, 0) << variant.name;
  }
}

TEST(Bound, KillsWhatRandomInputsLetThrough) {
  const auto maximum_from_zero = wrong_variants()[1];
  const Problem easy = draw({.N_q = 33, .N_k = 33}, 3);
  EXPECT_TRUE(compare(easy, maximum_from_zero.run(easy).data(), kFiller).accepted());
  const Problem hard = draw({.N_q = 33, .N_k = 33, .inputs = Family::kAllNeg200}, 3);
  EXPECT_FALSE(compare(hard, maximum_from_zero.run(hard).data(), kFiller).accepted());
}

TEST(Bound, NeverAcceptsNanOrInfinity) {
  const Problem problem = draw({.N_q = 4, .N_k = 4, .d = 2}, 4);
  const std::vector<float> right = right_variants()[0].run(problem);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
        std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    std::vector<float> O = right;
    O[5] = bad;
    const Comparison comparison = compare(problem, O.data(), kFiller);
    EXPECT_FALSE(comparison.accepted());
    EXPECT_EQ(comparison.not_finite, 1);
    EXPECT_EQ(comparison.states[2], RowState::kNotFinite);
  }
}

TEST(Bound, NeverAcceptsNanWhereTheBoundIsInfinite) {
  Problem problem = draw({.N_q = 1, .N_k = 1, .d = 1}, 5);
  problem.inputs.V[0] = std::numeric_limits<float>::max();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(compare(problem, &nan, kFiller).accepted());
}

TEST(Bound, TellsNeverWrittenFromComputedNan) {
  const Problem problem = draw({.N_q = 2, .N_k = 4, .d = 2}, 6);
  std::vector<float> O = right_variants()[0].run(problem);
  O[0] = std::bit_cast<float>(kFiller);
  O[2] = std::bit_cast<float>(kFiller | protocol::kQuietBit);
  const Comparison comparison = compare(problem, O.data(), kFiller);
  EXPECT_EQ(comparison.never_written, 1);
  EXPECT_EQ(comparison.not_finite, 1);
  EXPECT_EQ(comparison.first_never_written.row, 0);
  EXPECT_EQ(comparison.first_not_finite.row, 1);
}

TEST(Bound, RejectsAnErrorJustOutsideAndAcceptsOneJustInside) {
  const Problem problem = draw({.N_q = 1, .N_k = 8, .d = 1}, 7);
  const ReferenceRow reference = reference_row(problem, 0);
  const double bound = error_bound(reference, 0, 8);
  const float inside = static_cast<float>(reference.O[0] + 0.9 * bound);
  const float outside = static_cast<float>(reference.O[0] + 1.1 * bound);
  EXPECT_TRUE(compare(problem, &inside, kFiller).accepted());
  EXPECT_FALSE(compare(problem, &outside, kFiller).accepted());
}

TEST(Bound, ARowWithoutKeysMustBeExactlyZero) {
  const Problem problem = draw({.N_q = 1, .N_k = 0, .d = 1}, 8);
  const float zero = 0, tiny = 1e-30f;
  EXPECT_TRUE(compare(problem, &zero, kFiller).accepted());
  EXPECT_FALSE(compare(problem, &tiny, kFiller).accepted());
}

constexpr std::uint32_t kLseFiller = protocol::filler_bits(protocol::kLSE);

std::vector<Case> lse_shapes() {
  std::vector<Case> all = shapes();
  all.push_back({.N_q = 40, .N_k = 40, .d = 16, .causal = true});
  all.push_back({.heads = 2, .N_q = 20, .N_k = 12, .d = 8, .causal = true});
  all.push_back({.N_q = 5, .N_k = 0, .d = 8});
  return all;
}

TEST(LseBound, AcceptsEveryRightVariantOnEveryFamily) {
  for (const LseVariant& variant : right_lse_variants())
    for (Case c : lse_shapes())
      for (const Family family : kAllFamilies) {
        c.inputs = family;
        const Problem problem = draw(c, 1);
        const Comparison comparison = compare_lse(problem, variant.run(problem).data(), kLseFiller);
        EXPECT_TRUE(comparison.accepted())
            << variant.name << " on " << c.words() << ": " << comparison.worst.ratio;
        EXPECT_LT(comparison.worst.ratio, 0.5) << variant.name << " on " << c.words();
      }
}

TEST(LseBound, RejectsEveryWrongVariantOnSomeFamily) {
  for (const LseVariant& variant : wrong_lse_variants()) {
    int rejected = 0;
    for (const Family family : kAllFamilies) {
      const Problem problem =
          draw({.N_q = 48, .N_k = 40, .d = 6, .causal = true, .inputs = family}, 2);
      if (!compare_lse(problem, variant.run(problem).data(), kLseFiller).accepted()) ++rejected;
    }
    EXPECT_GT(rejected, 0) << variant.name;
  }
}

TEST(LseBound, ARowWithoutKeysMustBeMinusInfinity) {
  const Problem problem = draw({.N_q = 1, .N_k = 0, .d = 1}, 8);
  const auto states = [&](float LSE) { return compare_lse(problem, &LSE, kLseFiller).states[0]; };
  EXPECT_EQ(states(-INFINITY), RowState::kRight);
  EXPECT_EQ(states(INFINITY), RowState::kNotFinite);
  EXPECT_EQ(states(NAN), RowState::kNotFinite);
  EXPECT_EQ(states(-std::numeric_limits<float>::max()), RowState::kWrong);
  EXPECT_EQ(states(0), RowState::kWrong);
  EXPECT_EQ(states(std::bit_cast<float>(kLseFiller)), RowState::kNeverWritten);
}

TEST(LseBound, ARowWithKeysMustBeFinite) {
  const Problem problem = draw({.N_q = 1, .N_k = 3, .d = 2}, 8);
  for (const float bad : {-INFINITY, INFINITY, NAN})
    EXPECT_EQ(compare_lse(problem, &bad, kLseFiller).states[0], RowState::kNotFinite);
}

TEST(LseBound, RejectsAnErrorJustOutsideAndAcceptsOneJustInside) {
  const Problem problem = draw({.N_q = 1, .N_k = 8, .d = 1}, 7);
  const ReferenceRow reference = reference_row(problem, 0);
  const double bound = lse_error_bound(reference, 8);
  const float inside = static_cast<float>(reference.LSE + 0.9 * bound);
  const float outside = static_cast<float>(reference.LSE + 1.1 * bound);
  EXPECT_TRUE(compare_lse(problem, &inside, kLseFiller).accepted());
  EXPECT_FALSE(compare_lse(problem, &outside, kLseFiller).accepted());
}

}  // namespace
}  // namespace judge
