#include "judge/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace judge {
namespace {

// Two queries, four keys, d = 2 and scale 1: small enough for paper.
//
//   Q = [1 0]   K = [0    0]   V = [1 0]   S = [0 ln2 ln3 ln2]   weights of query 0: 1 2 3 2 over 8
//       [0 1]       [ln2  0]       [0 1]       [0 0   0   ln5]   weights of query 1: 1 1 1 5 over 8
//                   [ln3  0]       [4 0]
//                   [ln2 ln5]      [0 8]
Problem paper_example() {
  const float ln2 = std::log(2.0f), ln3 = std::log(3.0f), ln5 = std::log(5.0f);
  Problem problem;
  problem.shape = with_scale({.N_q = 2, .N_k = 4, .d = 2}, 1);
  problem.inputs.Q = {1, 0, 0, 1};
  problem.inputs.K = {0, 0, ln2, 0, ln3, 0, ln2, ln5};
  problem.inputs.V = {1, 0, 0, 1, 4, 0, 0, 8};
  return problem;
}

TEST(Reference, AgreesWithAnExampleDoneByHand) {
  const Problem problem = paper_example();
  const ReferenceRow first = reference_row(problem, 0);
  EXPECT_NEAR(first.O[0], (1 * 1 + 3 * 4) / 8.0, 1e-6);
  EXPECT_NEAR(first.O[1], (2 * 1 + 2 * 8) / 8.0, 1e-6);
  EXPECT_NEAR(first.LSE, std::log(8), 1e-6);
  const ReferenceRow second = reference_row(problem, 1);
  EXPECT_NEAR(second.O[0], (1 * 1 + 1 * 4) / 8.0, 1e-6);
  EXPECT_NEAR(second.O[1], (1 * 1 + 5 * 8) / 8.0, 1e-6);
}

TEST(Reference, ErrorTermsAgreeWithTheExample) {
  const ReferenceRow first = reference_row(paper_example(), 0);
  // A_0 = O_0, because V is not negative; g_j = s_j; B_0 = sum p_j v_j0 g_j = 3/8 * 4 * ln 3.
  EXPECT_NEAR(first.E[0], 13 / 8.0 * (1 + std::log(3)) + 12 / 8.0 * std::log(3), 1e-6);
  EXPECT_NEAR(first.sum_abs_V[1], 9, 1e-12);
}

TEST(Reference, CausalMaskIsAlignedToTheLastKey) {
  Problem problem = paper_example();
  problem.shape.causal = true;
  // Query 0 sees keys 0..2, query 1 all four.
  EXPECT_EQ(problem.visible_keys(0), 3);
  EXPECT_EQ(problem.visible_keys(1), 4);
  EXPECT_NEAR(reference_row(problem, 0).O[0], (1 * 1 + 3 * 4) / 6.0, 1e-6);
}

TEST(Reference, ARowThatSeesNoKeyIsZero) {
  const Problem problem = draw({.N_q = 5, .N_k = 3, .d = 4, .causal = true}, 1);
  EXPECT_EQ(problem.visible_keys(1), 0);
  EXPECT_EQ(problem.visible_keys(2), 1);
  const ReferenceRow row = reference_row(problem, 1);
  for (const double o : row.O) EXPECT_EQ(o, 0);
  EXPECT_EQ(row.LSE, -INFINITY);
}

TEST(Reference, GroupedHeadsShareKeysAndValues) {
  const Problem problem =
      draw({.batch = 2, .heads = 6, .heads_kv = 2, .N_q = 3, .N_k = 4, .d = 2}, 2);
  const auto kv_head = [&](int b, int h) { return problem.kv_head((b * 6 + h) * 3); };
  EXPECT_EQ(kv_head(0, 0), 0);
  EXPECT_EQ(kv_head(0, 2), 0);
  EXPECT_EQ(kv_head(0, 3), 1);
  EXPECT_EQ(kv_head(1, 2), 2);
  EXPECT_EQ(kv_head(1, 5), 3);
}

TEST(Reference, DoesNotDependOnTheOrderOfTheKeys) {
  const Problem problem = draw({.N_q = 3, .N_k = 7, .d = 5}, 3);
  Problem turned = problem;
  for (auto* tensor : {&turned.inputs.K, &turned.inputs.V})
    std::rotate(tensor->begin(), tensor->begin() + 2 * 5, tensor->end());
  for (int row = 0; row < 3; ++row)
    for (int k = 0; k < 5; ++k)
      EXPECT_NEAR(reference_row(problem, row).O[k], reference_row(turned, row).O[k], 1e-12);
}

}  // namespace
}  // namespace judge
