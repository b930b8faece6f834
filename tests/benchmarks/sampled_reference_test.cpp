#include "sampled_reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "judge/reference.h"
#include "runner/protocol.h"

namespace bench {
namespace {

using judge::Case;

constexpr std::uint32_t kFiller = 0xffffffff;
constexpr double kRounding = 0x1p-24;
constexpr int kOutputs[] = {
    protocol::kO, protocol::kLSE, protocol::kGradQ, protocol::kGradK, protocol::kGradV};

// A problem in host memory: its inputs, the right outputs in float32, and the reference for samples of them.
struct Whole {
  explicit Whole(const Case& c)
      : problem(judge::draw_backward(c, 1)),
        exact(judge::reference_gradients(problem)),
        reference(c, 2) {
    tensors.assign(9, {});
    for (int tensor = 0; tensor <= protocol::kGradO; ++tensor)
      tensors[tensor] = problem.inputs.tensor(tensor);
    for (const int tensor : {protocol::kGradQ, protocol::kGradK, protocol::kGradV})
      for (const double value : exact.tensor(tensor).value)
        tensors[tensor].push_back(static_cast<float>(value));
  }

  Read read() const {
    return [this](int tensor, std::int64_t first, std::int64_t count, float* to) {
      std::copy_n(tensors[tensor].begin() + first, count, to);
      return true;
    };
  }

  bool compute() {
    return reference.compute_forward(read()) && reference.compute_gradients(read());
  }

  Outcome compare(int tensor) const { return reference.compare(tensor, kFiller, read()); }

  // Moves every element of a gradient by so many of its bounds.
  void move(int tensor, double bounds) {
    const judge::Exact& right = exact.tensor(tensor);
    const int terms = problem.shape.rows_are_keys(tensor) ? problem.shape.N_q : problem.shape.N_k;
    const double growth = std::sqrt(std::max(1.0, terms / 4096.0));
    for (std::size_t n = 0; n < tensors[tensor].size(); ++n)
      tensors[tensor][n] =
          static_cast<float>(right.value[n] + bounds * 32 * kRounding * growth * right.E[n]);
  }

  judge::Problem problem;
  judge::Gradients exact;
  SampledReference reference;
  std::vector<std::vector<float>> tensors;
};

std::vector<Case> cases() {
  return {
      {.N_q = 1, .N_k = 1, .d = 3},
      {.batch = 2, .heads = 3, .N_q = 40, .N_k = 40, .d = 20},
      {.heads = 2, .N_q = 150, .N_k = 150, .d = 8, .causal = true},
      {.N_q = 30, .N_k = 20, .d = 8, .causal = true},  // rows that see no key
  };
}

// Above kExactQueries, where a part of the bounds is estimated.
Case long_case(bool causal) {
  return {.N_q = kExactQueries + 200, .N_k = kExactQueries + 200, .d = 4, .causal = causal};
}

TEST(SampledReference, AcceptsTheRoundedAnswers) {
  for (const Case& c : cases()) {
    Whole whole(c);
    ASSERT_TRUE(whole.compute());
    for (const int tensor : kOutputs) {
      const Outcome outcome = whole.compare(tensor);
      EXPECT_TRUE(outcome.accepted()) << c.words() << ": " << protocol::tensor_name(tensor);
      EXPECT_LE(outcome.worst, 1.0 / 32) << c.words() << ": " << protocol::tensor_name(tensor);
    }
  }
}

TEST(SampledReference, HasTheBoundsOfTheWholeReference) {
  for (const Case& c : cases())
    for (const int tensor : {protocol::kGradQ, protocol::kGradK, protocol::kGradV}) {
      Whole whole(c);
      ASSERT_TRUE(whole.compute());
      whole.move(tensor, 0.9);
      EXPECT_TRUE(whole.compare(tensor).accepted()) << c.words();
      whole.move(tensor, 1.1);
      const bool all_zero =
          std::ranges::none_of(whole.exact.tensor(tensor).E, [](double E) { return E > 0; });
      EXPECT_EQ(whole.compare(tensor).accepted(), all_zero) << c.words();
    }
}

TEST(SampledReference, EstimatesTheBoundsOfLongProblems) {
  for (const bool causal : {false, true})
    for (const int tensor : {protocol::kGradQ, protocol::kGradK, protocol::kGradV}) {
      Whole whole(long_case(causal));
      ASSERT_TRUE(whole.compute());
      EXPECT_LE(whole.compare(tensor).worst, 0.1) << protocol::tensor_name(tensor);
      whole.move(tensor, 0.5);
      EXPECT_TRUE(whole.compare(tensor).accepted()) << protocol::tensor_name(tensor);
      whole.move(tensor, 2);
      EXPECT_FALSE(whole.compare(tensor).accepted()) << protocol::tensor_name(tensor);
    }
}

TEST(SampledReference, SamplesEveryHeadAndBothEnds) {
  const Case c = {.batch = 2, .heads = 3, .N_q = 300, .N_k = 300, .d = 4};
  for (std::int64_t head = 0; head < 6; ++head)
    for (const std::int64_t row : {0, 299}) {
      Whole whole(c);
      ASSERT_TRUE(whole.compute());
      EXPECT_GE(whole.reference.sampled_queries(), 32);
      EXPECT_GE(whole.reference.sampled_keys(), 32);
      whole.tensors[protocol::kO][(head * 300 + row) * 4 + 2] += 0.01f;
      const Outcome outcome = whole.compare(protocol::kO);
      EXPECT_FALSE(outcome.accepted());
      EXPECT_EQ(outcome.wrong, 1);
      EXPECT_EQ(outcome.row, head * 300 + row);
      EXPECT_EQ(outcome.k, 2);
    }
}

TEST(SampledReference, SamplesTheBordersOfTilesInTheFirstAndTheLastHead) {
  const Case c = {.heads = 3, .N_q = 4000, .N_k = 4000, .d = 1};
  Whole whole(c);
  ASSERT_TRUE(whole.compute());
  for (const std::int64_t head : {0, 2})
    for (const std::int64_t row : {31, 32, 63, 64, 127, 128, 3871, 3872, 3935, 3936})
      for (const int tensor : {protocol::kO, protocol::kGradQ, protocol::kGradK}) {
        float& element = whole.tensors[tensor][head * 4000 + row];
        const float right = element;
        element += 1;
        EXPECT_EQ(whole.compare(tensor).wrong, 1) << protocol::tensor_name(tensor) << " " << row;
        element = right;
      }
}

TEST(SampledReference, NeverAcceptsNan) {
  for (const int tensor : kOutputs)
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      Whole whole(cases()[1]);
      ASSERT_TRUE(whole.compute());
      whole.tensors[tensor][0] = bad;
      const Outcome outcome = whole.compare(tensor);
      EXPECT_FALSE(outcome.accepted());
      EXPECT_EQ(outcome.not_finite, 1) << protocol::tensor_name(tensor);
      EXPECT_EQ(outcome.row, 0);
    }
}

TEST(SampledReference, KnowsWhatWasNeverWritten) {
  for (const int tensor : kOutputs) {
    Whole whole(cases()[1]);
    ASSERT_TRUE(whole.compute());
    std::ranges::fill(whole.tensors[tensor], std::bit_cast<float>(kFiller));
    const Outcome outcome = whole.compare(tensor);
    EXPECT_FALSE(outcome.accepted());
    EXPECT_EQ(outcome.never_written, outcome.elements) << protocol::tensor_name(tensor);
  }
}

TEST(SampledReference, AcceptsNothingThatCannotBeRead) {
  Whole whole(cases()[1]);
  const Read broken = [](int, std::int64_t, std::int64_t, float*) { return false; };
  EXPECT_FALSE(whole.reference.compute_forward(broken));
  ASSERT_TRUE(whole.compute());
  EXPECT_FALSE(whole.reference.compare(protocol::kO, kFiller, broken).accepted());
}

}  // namespace
}  // namespace bench
