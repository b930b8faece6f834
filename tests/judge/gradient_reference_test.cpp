// The fp64 gradients against two things that know nothing of them: finite differences of the fp64 forward pass, and
// PyTorch's autograd (fixtures/).
#include "judge/gradient_reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <ostream>
#include <sstream>
#include <string>

#include "judge/bound.h"
#include "judge/reference.h"
#include "runner/protocol.h"

namespace judge {

void PrintTo(const Case& c, std::ostream* stream) { *stream << c.words(); }

namespace {

// The loss whose gradient with respect to O is dO.
double loss(const Problem& problem) {
  double sum = 0;
  for (std::int64_t row = 0; row < problem.shape.rows(); ++row) {
    const ReferenceRow reference = reference_row(problem, row);
    for (int k = 0; k < problem.shape.d; ++k)
      sum += reference.O[k] * problem.inputs.dO[row * problem.shape.d + k];
  }
  return sum;
}

// Multiples of 2^-8, so that steps of 2^-10 are exact in float32.
void make_coarse(std::vector<float>* tensor) {
  for (float& x : *tensor) x = std::round(x * 256) / 256;
}

class FiniteDifferences : public ::testing::TestWithParam<Case> {};

TEST_P(FiniteDifferences, AgreeWithTheGradients) {
  Problem problem = draw_backward(GetParam(), 7);
  for (auto* tensor : {&problem.inputs.Q, &problem.inputs.K, &problem.inputs.V})
    make_coarse(tensor);
  const Gradients exact = reference_gradients(problem);
  constexpr float kStep = 0x1p-10f;
  const auto compare = [&](std::vector<float> Inputs::*input, const Exact& gradient) {
    for (std::size_t n = 0; n < gradient.value.size(); ++n) {
      // Two central differences, combined so that the error falls with the fourth power of the step.
      const auto slope = [&](float step) {
        Problem moved = problem;
        (moved.inputs.*input)[n] += step;
        const double up = loss(moved);
        (moved.inputs.*input)[n] -= 2 * step;
        return (up - loss(moved)) / (2 * step);
      };
      const double slope_there = (4 * slope(kStep) - slope(2 * kStep)) / 3;
      EXPECT_NEAR(gradient.value[n], slope_there, 1e-8 * (1 + std::abs(slope_there))) << n;
    }
  };
  compare(&Inputs::Q, exact.dQ);
  compare(&Inputs::K, exact.dK);
  compare(&Inputs::V, exact.dV);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, FiniteDifferences,
    ::testing::Values(
        Case{.N_q = 5, .N_k = 7, .d = 4}, Case{.batch = 2, .heads = 2, .N_q = 4, .N_k = 3, .d = 3},
        Case{.N_q = 6, .N_k = 6, .d = 3, .causal = true},
        Case{.heads = 2, .N_q = 3, .N_k = 6, .d = 2, .causal = true},
        Case{.N_q = 7, .N_k = 4, .d = 3, .causal = true},  // rows without keys
        Case{.heads = 4, .heads_kv = 2, .N_q = 4, .N_k = 5, .d = 2},
        with_scale({.N_q = 4, .N_k = 5, .d = 3}, -0.75),
        with_scale({.N_q = 4, .N_k = 5, .d = 3}, 0),
        Case{.N_q = 4, .N_k = 5, .d = 3, .upstream = Upstream::kEqualsO}));

// The cases of fixtures/autograd.txt.
struct Recorded {
  Problem problem;
  Gradients gradients;
};

std::vector<Recorded> recorded() {
  std::vector<Recorded> all;
  std::ifstream file(JUDGE_FIXTURES "/autograd.txt");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name.empty() || name == "#") continue;
    if (name == "case") {
      Case c;
      words >> c.batch >> c.heads >> c.heads_kv >> c.N_q >> c.N_k >> c.d >> c.causal >> c.scale;
      c.custom_scale = true;
      all.push_back({{c, {}, 0}, {}});
      continue;
    }
    std::vector<double> values;
    for (double x = 0; words >> x;) values.push_back(x);
    Recorded& last = all.back();
    Inputs& inputs = last.problem.inputs;
    const std::vector<float> floats(values.begin(), values.end());
    if (name == "Q") inputs.Q = floats;
    if (name == "K") inputs.K = floats;
    if (name == "V") inputs.V = floats;
    if (name == "dO") inputs.dO = floats;
    if (name == "dQ") last.gradients.dQ.value = values;
    if (name == "dK") last.gradients.dK.value = values;
    if (name == "dV") last.gradients.dV.value = values;
  }
  return all;
}

TEST(GradientReference, AgreesWithAutograd) {
  const std::vector<Recorded> cases = recorded();
  ASSERT_GE(cases.size(), 10u);
  for (const auto& [problem, wanted] : cases) {
    const Gradients exact = reference_gradients(problem);
    for (const int tensor : {protocol::kGradQ, protocol::kGradK, protocol::kGradV}) {
      const std::vector<double>& got = exact.tensor(tensor).value;
      const std::vector<double>& autograd = wanted.tensor(tensor).value;
      ASSERT_EQ(got.size(), autograd.size()) << problem.shape.words();
      for (std::size_t n = 0; n < got.size(); ++n)
        EXPECT_NEAR(got[n], autograd[n], 1e-13 * (1 + std::abs(autograd[n])))
            << protocol::tensor_name(tensor) << " " << n << " " << problem.shape.words();
    }
  }
}

TEST(GradientReference, TheStagesBelongToTheGradients) {
  const Problem problem =
      draw_backward({.heads = 2, .N_q = 5, .N_k = 6, .d = 3, .causal = true}, 3);
  const Gradients exact = reference_gradients(problem, true);
  const double scale = problem.shape.softmax_scale();
  for (std::int64_t row = 0; row < problem.shape.rows(); ++row) {
    double sum_of_ds = 0, D = 0;
    std::vector<double> dq(3);
    for (int j = 0; j < 6; ++j) {
      const double ds = exact.dS.value[row * 6 + j];
      sum_of_ds += ds;
      if (j >= problem.visible_keys(row)) {
        EXPECT_EQ(ds, 0);
        EXPECT_EQ(exact.dP.value[row * 6 + j], 0);
      }
      for (int k = 0; k < 3; ++k) dq[k] += scale * ds * problem.K_head(row)[j * 3 + k];
    }
    const ReferenceRow forward = reference_row(problem, row);
    for (int k = 0; k < 3; ++k) {
      D += forward.O[k] * problem.inputs.dO[row * 3 + k];
      EXPECT_NEAR(exact.dQ.value[row * 3 + k], dq[k], 1e-14);
    }
    EXPECT_NEAR(exact.delta.value[row], D, 1e-14);
    EXPECT_NEAR(sum_of_ds, 0, 1e-14);  // the weights of a row always sum to 1
  }
}

}  // namespace
}  // namespace judge
