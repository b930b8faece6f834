// Which gradients are accepted: all of correct float32 algorithms, on every family of inputs; none of wrong ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "judge/bound.h"
#include "judge/gradient_mistakes.h"
#include "runner/protocol.h"

namespace judge {
namespace {

using protocol::kGradK, protocol::kGradQ, protocol::kGradV;

constexpr int kGradients[] = {kGradV, kGradK, kGradQ};

// How a correct kernel may compute: everything in float32.
struct Right {
  std::string name;
  bool base_two = false;        // exp2, with the scores and LSE in that base
  bool softmax_again = false;   // no LSE: maximum, sum and division once more
  bool delta_from_dP = false;   // D = sum_j p_j dp_j
  bool backwards = false;       // the sums run from the last term to the first
  bool scaled_query = false;    // softmax_scale goes into q first
  bool scaled_weights = false;  // softmax_scale goes into dS, not into the sum
};

std::map<int, std::vector<float>> run(const Right& how, const Problem& problem) {
  const Case& c = problem.shape;
  const float scale = c.softmax_scale();
  const Inputs& in = problem.inputs;
  std::map<int, std::vector<float>> out;
  for (const int t : kGradients) out[t].assign(c.elements(t), 0.0f);
  const auto order = [&](int n, int count) { return how.backwards ? count - 1 - n : n; };
  for (std::int64_t r = 0; r < c.rows(); ++r) {
    const std::int64_t row = how.backwards ? c.rows() - 1 - r : r;
    const int keys = problem.visible_keys(row);
    if (keys == 0) continue;
    const float* const K = problem.K_head(row);
    const float* const V = problem.V_head(row);
    const float* const dO = in.dO.data() + row * c.d;
    const auto dot = [&](const float* a, const float* b, float factor) {
      float sum = 0;
      for (int n = 0; n < c.d; ++n) {
        const int k = order(n, c.d);
        sum += factor * a[k] * b[k];
      }
      return sum;
    };
    std::vector<float> s(keys), p(keys), dp(keys);
    for (int j = 0; j < keys; ++j) {
      const float* const k_row = K + std::int64_t{j} * c.d;
      s[j] = how.scaled_query ? dot(problem.q_row(row), k_row, scale)
                              : scale * dot(problem.q_row(row), k_row, 1);
      dp[j] = dot(dO, V + std::int64_t{j} * c.d, 1);
    }
    constexpr float kLog2e = 1.44269504f;
    const float m = *std::max_element(s.begin(), s.end());
    float l = 0;
    for (int j = 0; j < keys; ++j) l += std::exp(s[j] - m);
    for (int j = 0; j < keys; ++j) {
      if (how.softmax_again)
        p[j] = std::exp(s[j] - m) / l;
      else if (how.base_two)
        p[j] = std::exp2(s[j] * kLog2e - in.LSE[row] * kLog2e);
      else
        p[j] = std::exp(s[j] - in.LSE[row]);
    }
    float delta = 0;
    if (how.delta_from_dP)
      for (int j = 0; j < keys; ++j) delta += p[j] * dp[j];
    else
      delta = dot(dO, in.O.data() + row * c.d, 1);
    std::vector<float> dq(c.d);
    for (int n = 0; n < keys; ++n) {
      const int j = order(n, keys);
      const std::int64_t key = problem.kv_head(row) * c.N_k + j;
      float ds = p[j] * (dp[j] - delta);
      if (how.scaled_weights) ds *= scale;
      const float outside = how.scaled_weights ? 1 : scale;
      for (int k = 0; k < c.d; ++k) {
        out[kGradV][key * c.d + k] += p[j] * dO[k];
        out[kGradK][key * c.d + k] += outside * ds * problem.q_row(row)[k];
        dq[k] += ds * K[std::int64_t{j} * c.d + k];
      }
    }
    for (int k = 0; k < c.d; ++k)
      out[kGradQ][row * c.d + k] = how.scaled_weights ? dq[k] : scale * dq[k];
  }
  return out;
}

std::vector<Right> right_variants() {
  return {
      {.name = "plain"},
      {.name = "base two", .base_two = true, .scaled_query = true},
      {.name = "softmax again", .softmax_again = true, .backwards = true},
      {.name = "D from dP", .delta_from_dP = true, .scaled_weights = true},
      {.name = "all of it",
       .base_two = true,
       .delta_from_dP = true,
       .backwards = true,
       .scaled_query = true,
       .scaled_weights = true},
  };
}

std::vector<Case> hard_cases() {
  std::vector<Case> cases;
  for (const Family family : kAllFamilies)
    for (const Upstream upstream : kAllUpstreams) {
      cases.push_back({.N_q = 33, .N_k = 50, .d = 16, .inputs = family, .upstream = upstream});
      cases.push_back(
          {.heads = 2,
           .N_q = 48,
           .N_k = 40,
           .d = 6,
           .causal = true,
           .inputs = family,
           .upstream = upstream});
    }
  for (const double scale : {0.3, 0.0, -0.25})
    cases.push_back(with_scale({.heads = 2, .N_q = 40, .N_k = 56, .d = 24}, scale));
  cases.push_back({.heads = 4, .heads_kv = 2, .N_q = 20, .N_k = 30, .d = 8});
  cases.push_back({.N_q = 3, .N_k = 1500, .d = 128});
  cases.push_back({.N_q = 1500, .N_k = 3, .d = 128});
  return cases;
}

class CorrectGradients : public ::testing::TestWithParam<std::size_t> {};

TEST_P(CorrectGradients, AreAcceptedOnEveryFamily) {
  const Right how = right_variants()[GetParam()];
  std::uint64_t seed = 40;
  for (const Case& c : hard_cases()) {
    const Problem problem = draw_backward(c, ++seed);
    const Gradients exact = reference_gradients(problem);
    auto got = run(how, problem);
    for (const int tensor : kGradients) {
      const Comparison comparison =
          compare_gradient(c, exact, tensor, got[tensor].data(), protocol::filler_bits(tensor));
      EXPECT_TRUE(comparison.accepted()) << protocol::tensor_name(tensor) << ", " << c.words()
                                         << ": " << comparison.worst.ratio << " times the bound";
      // The bound is 32 units; a correct algorithm needs no more than a third of that.
      EXPECT_LT(comparison.worst.ratio, 0.34) << protocol::tensor_name(tensor) << ", " << c.words();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Variants, CorrectGradients, ::testing::Range<std::size_t>(0, right_variants().size()));

// One shape for every mistake to show itself on: ragged, causal, several heads, a scale of its own.
const Case kTelling[] = {
    {.heads = 2, .N_q = 50, .N_k = 70, .d = 8},
    {.heads = 2, .N_q = 50, .N_k = 70, .d = 8, .causal = true},
    {.N_q = 40, .N_k = 40, .d = 8},
    with_scale({.N_q = 40, .N_k = 50, .d = 8}, 0.6),
    {.heads = 2, .N_q = 200, .N_k = 150, .d = 4},
    {.N_q = 70, .N_k = 150, .d = 4},
};

TEST(WrongGradients, EveryMistakeIsRejectedAndRecognised) {
  std::set<std::string> slugs;
  for (const GradientMistake& mistake : gradient_mistakes()) {
    bool rejected = false, recognised = false;
    for (const Case& c : kTelling) {
      const Problem problem = draw_backward(c, 11);
      const Gradients exact = reference_gradients(problem);
      for (const int tensor : kGradients) {
        const std::vector<double> wrong = simulate(mistake, problem, tensor);
        if (wrong.empty()) continue;
        const std::vector<float> got(wrong.begin(), wrong.end());
        const Comparison comparison =
            compare_gradient(c, exact, tensor, got.data(), protocol::filler_bits(tensor));
        if (comparison.accepted()) continue;
        rejected = true;
        const Diagnosis diagnosis =
            diagnose_gradient(problem, exact.tensor(tensor), tensor, got.data(), comparison);
        recognised = recognised || (diagnosis.confident && diagnosis.slug == mistake.slug);
        // Another mistake may do the same to one of the tensors, but nothing may be sure that it is another one. Whatever
        // leaves out the only tile gives zeros.
        EXPECT_TRUE(
            !diagnosis.confident || diagnosis.slug == mistake.slug || diagnosis.slug == "all-zero")
            << mistake.slug << " taken for " << diagnosis.slug << " by "
            << protocol::tensor_name(tensor) << ", " << c.words();
      }
    }
    EXPECT_TRUE(rejected) << mistake.slug;
    EXPECT_TRUE(recognised) << mistake.slug;
    slugs.insert(mistake.slug);
  }
  EXPECT_GE(slugs.size(), 30u);
}

TEST(WrongGradients, WithDOEqualToOAWrongDHides) {
  const Case c = {.N_q = 30, .N_k = 40, .d = 8, .upstream = Upstream::kEqualsO};
  const Problem problem = draw_backward(c, 5);
  const Gradients exact = reference_gradients(problem);
  for (const GradientMistake& mistake : gradient_mistakes()) {
    if (std::string(mistake.slug) != "delta-of-o" && std::string(mistake.slug) != "delta-of-do")
      continue;
    const std::vector<double> wrong = simulate(mistake, problem, kGradQ);
    const std::vector<float> got(wrong.begin(), wrong.end());
    EXPECT_TRUE(
        compare_gradient(c, exact, kGradQ, got.data(), protocol::filler_bits(kGradQ)).accepted());
  }
}

TEST(WrongGradients, NaNAndWhatWasNeverWrittenAreTold) {
  const Case c = {.N_q = 3, .N_k = 4, .d = 2};
  const Problem problem = draw_backward(c, 5);
  const Gradients exact = reference_gradients(problem);
  std::vector<float> got(exact.dK.value.begin(), exact.dK.value.end());
  got[5] = NAN;
  got[7] = std::bit_cast<float>(protocol::filler_bits(kGradK));
  const Comparison comparison =
      compare_gradient(c, exact, kGradK, got.data(), protocol::filler_bits(kGradK));
  EXPECT_EQ(comparison.not_finite, 1);
  EXPECT_EQ(comparison.first_not_finite.row, 2);
  EXPECT_EQ(comparison.first_not_finite.k, 1);
  EXPECT_EQ(comparison.never_written, 1);
  EXPECT_EQ(comparison.wrong, 0);
}

TEST(WrongGradients, AGradientThatIsZeroEverywhereIsCalledThat) {
  const Case c = {.N_q = 4, .N_k = 4, .d = 2};
  const Problem problem = draw_backward(c, 5);
  const Gradients exact = reference_gradients(problem);
  const std::vector<float> got(exact.dQ.value.size(), 0.0f);
  const Comparison comparison =
      compare_gradient(c, exact, kGradQ, got.data(), protocol::filler_bits(kGradQ));
  const Diagnosis diagnosis = diagnose_gradient(problem, exact.dQ, kGradQ, got.data(), comparison);
  EXPECT_EQ(diagnosis.words, "dQ is 0 everywhere");
  EXPECT_TRUE(diagnosis.confident);
}

TEST(WrongGradients, ANaNEverywhereLooksLikeNothing) {
  const Case c = {.N_q = 33, .N_k = 40, .d = 4};
  const Problem problem = draw_backward(c, 5);
  const Gradients exact = reference_gradients(problem);
  const std::vector<float> got(exact.dQ.value.size(), NAN);
  const Comparison comparison =
      compare_gradient(c, exact, kGradQ, got.data(), protocol::filler_bits(kGradQ));
  EXPECT_EQ(diagnose_gradient(problem, exact.dQ, kGradQ, got.data(), comparison).slug, "");
}

}  // namespace
}  // namespace judge
