#include "judge/lse_diagnosis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "judge/reference.h"
#include "runner/protocol.h"

namespace judge {
namespace {

// LSE with value(reference of the row) in every row.
std::vector<float> with(
    const Problem& problem, const std::function<double(const ReferenceRow&)>& value) {
  std::vector<float> LSE;
  for (std::int64_t row = 0; row < problem.shape.rows(); ++row)
    LSE.push_back(static_cast<float>(value(reference_row(problem, row))));
  return LSE;
}

Diagnosis diagnosis_of(const Problem& problem, const std::vector<float>& LSE) {
  return diagnose_lse(
      problem, LSE.data(), compare_lse(problem, LSE.data(), protocol::filler_bits(protocol::kLSE)));
}

TEST(LseDiagnosis, RecognisesEachMistake) {
  const Problem problem = draw({.batch = 2, .heads = 3, .N_q = 21, .N_k = 37, .d = 24}, 31);
  const double scale = problem.shape.softmax_scale();
  const double log2e = 1 / std::log(2.0);
  const struct {
    const char* slug;
    std::function<double(const ReferenceRow&)> value;
  } mistakes[] = {
      {"lse-base-two", [&](const ReferenceRow& r) { return r.LSE * log2e; }},
      {"lse-mixed-bases",
       [&](const ReferenceRow& r) { return r.s_max + (r.LSE - r.s_max) * log2e; }},
      {"lse-mixed-bases",
       [&](const ReferenceRow& r) { return r.s_max * log2e + (r.LSE - r.s_max); }},
      {"lse-m-only", [](const ReferenceRow& r) { return r.s_max; }},
      {"lse-l-only", [](const ReferenceRow& r) { return r.LSE - r.s_max; }},
      {"lse-without-log", [](const ReferenceRow& r) { return std::exp(r.LSE - r.s_max); }},
      {"lse-without-log",
       [](const ReferenceRow& r) { return r.s_max + std::exp(r.LSE - r.s_max); }},
      {"lse-without-log", [](const ReferenceRow& r) { return std::exp(r.LSE); }},
      {"lse-wrong-sign", [](const ReferenceRow& r) { return -r.LSE; }},
      {"lse-wrong-sign", [](const ReferenceRow& r) { return 2 * r.s_max - r.LSE; }},
      {"lse-unscaled", [&](const ReferenceRow& r) { return r.LSE - r.s_max + r.s_max / scale; }},
      {"lse-unscaled", [&](const ReferenceRow& r) { return r.LSE / scale; }},
      {"lse-scaled-twice",
       [&](const ReferenceRow& r) { return r.LSE - r.s_max + r.s_max * scale; }},
      {"lse-scaled-twice", [&](const ReferenceRow& r) { return r.LSE * scale; }},
  };
  for (const auto& mistake : mistakes) {
    const Diagnosis diagnosis = diagnosis_of(problem, with(problem, mistake.value));
    EXPECT_EQ(diagnosis.slug, mistake.slug);
    EXPECT_TRUE(diagnosis.confident) << mistake.slug;
  }
}

TEST(LseDiagnosis, RecognisesASumThatIsRescaledTheWrongWay) {
  const Problem problem = draw({.N_q = 8, .N_k = 80, .d = 1, .inputs = Family::kRising}, 35);
  for (const bool inverted : {true, false}) {
    std::vector<float> LSE;
    for (int i = 0; i < 8; ++i) {
      // Two tiles of 32 keys, and 16 more.
      double m = -INFINITY, l = 0;
      for (int j = 0; j < 80; ++j) {
        if (j % 32 == 0) {
          double m_new = m;
          for (int n = j; n < std::min(j + 32, 80); ++n)
            m_new = std::max<double>(
                m_new, problem.shape.softmax_scale() * problem.inputs.Q[i] * problem.inputs.K[n]);
          if (inverted && j > 0) l *= std::exp(m_new - m);
          m = m_new;
        }
        l += std::exp(
            double{problem.shape.softmax_scale()} * problem.inputs.Q[i] * problem.inputs.K[j] - m);
      }
      LSE.push_back(static_cast<float>(m + std::log(l)));
    }
    const Diagnosis diagnosis = diagnosis_of(problem, LSE);
    EXPECT_EQ(diagnosis.slug, inverted ? "rescale-inverted" : "l-not-rescaled");
    EXPECT_TRUE(diagnosis.confident);
  }
}

TEST(LseDiagnosis, RecognisesTheWrongOrderOfRows) {
  const Problem problem = draw({.batch = 2, .heads = 3, .N_q = 5, .N_k = 37, .d = 24}, 31);
  const std::vector<float> right = with(problem, [](const ReferenceRow& r) { return r.LSE; });
  std::vector<float> LSE(right.size());
  for (int b = 0; b < 2; ++b)
    for (int h = 0; h < 3; ++h)
      for (int i = 0; i < 5; ++i) LSE[(b * 5 + i) * 3 + h] = right[(b * 3 + h) * 5 + i];
  EXPECT_EQ(diagnosis_of(problem, LSE).slug, "lse-heads-inside");
}

TEST(LseDiagnosis, RecognisesRowsWithoutKeys) {
  const Problem problem = draw({.N_q = 20, .N_k = 12, .d = 8, .causal = true}, 32);
  const Diagnosis diagnosis = diagnosis_of(
      problem, with(problem, [](const ReferenceRow& r) { return std::isinf(r.LSE) ? 0 : r.LSE; }));
  EXPECT_EQ(diagnosis.slug, "lse-empty-row");
  EXPECT_TRUE(diagnosis.confident);
}

TEST(LseDiagnosis, IsNotConfidentBetweenMistakesThatCoincide) {
  // One key: l = 1, so that m alone, m - ln l and m + log2 l are the same, and right; its sign is all that is wrong.
  const Problem problem = draw({.N_q = 8, .N_k = 1, .d = 8}, 33);
  EXPECT_EQ(
      diagnosis_of(problem, with(problem, [](const ReferenceRow& r) { return -r.LSE; })).slug,
      "lse-wrong-sign");
  const Diagnosis coincide = diagnosis_of(
      problem, with(problem, [](const ReferenceRow& r) { return r.LSE / std::log(2.0); }));
  EXPECT_NE(coincide.slug, "");  // the base of m, or that of both
  EXPECT_FALSE(coincide.confident);
}

TEST(LseDiagnosis, SaysNothingAboutAnUnknownMistake) {
  const Problem problem = draw({.N_q = 21, .N_k = 37, .d = 24}, 34);
  EXPECT_EQ(
      diagnosis_of(problem, with(problem, [](const ReferenceRow& r) { return r.LSE + 0.1; })).slug,
      "");
}

}  // namespace
}  // namespace judge
