#include "judge/inputs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "judge/random.h"

namespace judge {
namespace {

const std::vector<Case>& shapes() {
  static const std::vector<Case> all = {
      {.N_q = 40, .N_k = 50, .d = 16},
      {.batch = 2, .heads = 3, .N_q = 8, .N_k = 33, .d = 40},
      {.heads = 2, .N_q = 16, .N_k = 20, .d = 64, .scale = -0.3, .custom_scale = true},
  };
  return all;
}

// Scores of one row, in fp64.
std::vector<double> scores(const Problem& problem, std::int64_t row) {
  std::vector<double> s(problem.shape.N_k);
  for (int j = 0; j < problem.shape.N_k; ++j) {
    for (int k = 0; k < problem.shape.d; ++k)
      s[j] +=
          static_cast<double>(problem.q_row(row)[k]) * problem.K_head(row)[j * problem.shape.d + k];
    s[j] *= problem.shape.softmax_scale();
  }
  return s;
}

// Calls look(problem, scores of a row) for some rows of every shape.
template <typename Look>
void for_rows(Family family, Look look) {
  for (Case c : shapes()) {
    c.inputs = family;
    const Problem problem = draw(c, 11);
    for (std::int64_t row = 0; row < c.rows(); row += 3) look(problem, scores(problem, row));
  }
}

TEST(Inputs, SameSeedSameNumbersOtherSeedOtherNumbers) {
  for (const Family family : kAllFamilies) {
    const Case c = {.batch = 2, .N_q = 5, .N_k = 6, .d = 7, .inputs = family};
    EXPECT_EQ(draw(c, 1).inputs.K, draw(c, 1).inputs.K);
    EXPECT_NE(draw(c, 1).inputs.K, draw(c, 2).inputs.K) << family_name(family);
  }
}

TEST(Inputs, TheGeneratorIsTheSameEverywhere) {
  Random random(0);
  EXPECT_EQ(random.bits(), 0xe220a8397b1dcdafu);  // SplitMix64's published first output for seed 0
  EXPECT_EQ(Random(42).normal(), Random(42).normal());
  const float drawn = Random(42).normal();
  EXPECT_EQ(std::ldexp(drawn, 16), std::round(std::ldexp(drawn, 16)));
}

TEST(Inputs, DerivedSeedsDiffer) {
  EXPECT_NE(derive_seed(1, "ragged", 0), derive_seed(1, "ragged", 1));
  EXPECT_NE(derive_seed(1, "ragged", 0), derive_seed(1, "memory", 0));
  EXPECT_NE(derive_seed(1, "ragged", 0), derive_seed(2, "ragged", 0));
}

TEST(Inputs, RandnHasMeanZeroAndVarianceOne) {
  const Problem problem = draw({.N_q = 500, .N_k = 500}, 3);
  double sum = 0, square = 0;
  for (const float x : problem.inputs.Q) {
    sum += x;
    square += x * x;
  }
  const double count = static_cast<double>(problem.inputs.Q.size());
  EXPECT_NEAR(sum / count, 0, 0.02);
  EXPECT_NEAR(square / count, 1, 0.03);
}

TEST(Inputs, EveryHeadHasDataOfItsOwn) {
  for (const Family family : {Family::kRandn, Family::kAllNeg200, Family::kOneHot}) {
    const Problem problem = draw({.heads = 2, .N_q = 4, .N_k = 4, .d = 8, .inputs = family}, 4);
    const auto middle = problem.inputs.K.begin() + 4 * 8;
    EXPECT_FALSE(std::equal(problem.inputs.K.begin(), middle, middle)) << family_name(family);
  }
}

TEST(Inputs, RisingRisesFromZeroToForty) {
  for_rows(Family::kRising, [](const Problem&, const std::vector<double>& s) {
    EXPECT_NEAR(s.front(), 0, 2);
    EXPECT_NEAR(s.back(), 40, 2);
    for (std::size_t j = 4; j < s.size(); ++j) EXPECT_GT(s[j], s[j - 4]);
  });
}

TEST(Inputs, FallingFallsFromFortyToZero) {
  for_rows(Family::kFalling, [](const Problem&, const std::vector<double>& s) {
    EXPECT_NEAR(s.front(), 40, 2);
    EXPECT_NEAR(s.back(), 0, 2);
    for (std::size_t j = 4; j < s.size(); ++j) EXPECT_LT(s[j], s[j - 4]);
  });
}

TEST(Inputs, NegativeFamiliesAreNegativeAndNotConstant) {
  const auto expect_near = [](Family family, double level) {
    for_rows(family, [&](const Problem&, const std::vector<double>& s) {
      const auto [low, high] = std::minmax_element(s.begin(), s.end());
      EXPECT_LT(*high, 0.9 * level);
      EXPECT_GT(*low, 1.1 * level);
      EXPECT_GT(*high - *low, 0.5);
    });
  };
  expect_near(Family::kAllNeg200, -200);
  expect_near(Family::kNeg2e4, -20000);
  expect_near(Family::kNeg6e4, -60000);
}

TEST(Inputs, Logit1e4OverflowsAnUnguardedExponential) {
  for_rows(Family::kLogit1e4, [](const Problem&, const std::vector<double>& s) {
    const auto [low, high] = std::minmax_element(s.begin(), s.end());
    EXPECT_GT(std::max(*high, -*low), 1000);
    EXPECT_GT(*high, 88.8);
  });
}

TEST(Inputs, UniformHasNoScores) {
  for_rows(Family::kUniform, [](const Problem&, const std::vector<double>& s) {
    for (const double score : s) EXPECT_EQ(score, 0);
  });
}

TEST(Inputs, RowTagNumbersTheKeys) {
  const Problem problem =
      draw({.heads = 2, .N_q = 2, .N_k = 5, .d = 3, .inputs = Family::kRowTag}, 1);
  for (int head = 0; head < 2; ++head)
    for (int j = 0; j < 5; ++j)
      for (int k = 0; k < 3; ++k) EXPECT_EQ(problem.inputs.V[(head * 5 + j) * 3 + k], j + 1);
}

TEST(Inputs, OneHotHasOneWinner) {
  for (const Case& shape : {Case{.N_q = 30, .N_k = 40}, Case{.heads = 3, .N_q = 9, .N_k = 33}}) {
    Case c = shape;
    c.inputs = Family::kOneHot;
    const Problem problem = draw(c, 5);
    for (std::int64_t row = 0; row < c.rows(); ++row) {
      std::vector<double> s = scores(problem, row);
      std::sort(s.rbegin(), s.rend());
      EXPECT_NEAR(s[0], 60, 0.1);
      EXPECT_GT(s[0] - s[1], 15);
    }
  }
}

TEST(Inputs, CancelAlternates) {
  const Problem problem = draw({.N_q = 2, .N_k = 6, .d = 4, .inputs = Family::kCancel}, 1);
  for (int j = 0; j < 6; ++j)
    for (int k = 0; k < 4; ++k)
      EXPECT_NEAR(problem.inputs.V[j * 4 + k], j % 2 == 0 ? 1000 : -1000, 10);
}

TEST(Inputs, DenormIsSubnormal) {
  const Problem problem = draw({.N_q = 2, .N_k = 60, .d = 4, .inputs = Family::kDenorm}, 1);
  for (const float v : problem.inputs.V) EXPECT_LT(std::abs(v), 0x1p-126f);
  EXPECT_TRUE(std::any_of(
      problem.inputs.V.begin(), problem.inputs.V.end(), [](float v) { return v != 0; }));
}

TEST(Inputs, ImpossibleShapesHaveNoElements) {
  EXPECT_EQ(draw({.batch = 0, .N_q = 3, .N_k = 3}, 1).inputs.Q.size(), 0u);
  EXPECT_EQ(draw({.N_q = -1, .N_k = 3, .d = 2}, 1).inputs.K.size(), 6u);
  EXPECT_EQ(draw({.N_q = 3, .N_k = 3, .d = -4}, 1).inputs.V.size(), 0u);
}

}  // namespace
}  // namespace judge
