#include "judge/examine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "judge/mistake_bank.h"
#include "simulated_attention.h"

namespace judge {
namespace {

const Case kCase = {.heads = 2, .N_q = 33, .N_k = 40, .d = 16};

// What a correct kernel's answer looks like.
Answer right_answer(const Problem& problem) {
  Answer answer;
  answer.request = make_request(problem.shape, {}, 1);
  answer.reply.launches = 1;
  answer.reply.outputs_read = 1;
  for (int t = protocol::kQ; t <= protocol::kV; ++t) {
    std::vector<float> buffer(protocol::buffer_floats(answer.request, t));
    protocol::fill_buffer(answer.request, t, problem.inputs.tensor(t).data(), buffer.data());
    answer.reply.input_hash[t] = protocol::hash_floats(buffer.data(), buffer.size());
  }
  const std::uint64_t O_floats = protocol::buffer_floats(answer.request, protocol::kO);
  const std::uint64_t LSE_floats = protocol::buffer_floats(answer.request, protocol::kLSE);
  answer.buffers.resize(O_floats + LSE_floats);
  const std::vector<float> O = right_variants()[0].run(problem);
  protocol::fill_buffer(answer.request, protocol::kO, O.data(), answer.buffers.data());
  protocol::fill_buffer(answer.request, protocol::kLSE, nullptr, answer.buffers.data() + O_floats);
  return answer;
}

Failure failure_of(const Problem& problem, const Answer& answer) {
  try {
    examine_errors(problem.shape, answer);
    examine_memory(problem, answer);
    examine_values(problem, answer, {naive_mistakes(), {}});
  } catch (const Failure& failure) {
    return failure;
  }
  return {};
}

class Examine : public ::testing::Test {
 protected:
  float* O() { return const_cast<float*>(answer_.O()); }
  Failure failure() { return failure_of(problem_, answer_); }
  bool mentions(const std::string& part) {
    return failure().details.find(part) != std::string::npos;
  }

  Problem problem_ = draw(kCase, 31);
  Answer answer_ = right_answer(problem_);
};

TEST_F(Examine, ARightAnswerHasNoFailure) { EXPECT_EQ(failure().kind, ""); }

TEST_F(Examine, DeviceFaultsGetKindsOfTheirOwn) {
  const auto kind_with = [&](int error) {
    answer_.reply.sync_error = error;
    return failure().kind;
  };
  EXPECT_EQ(kind_with(kIllegalAddress), "out of bounds");
  EXPECT_EQ(kind_with(kMisalignedAddress), "misaligned");
  EXPECT_EQ(kind_with(kLaunchTimeout), "hang");
  EXPECT_EQ(kind_with(kLaunchFailure), "crash");
  EXPECT_EQ(kind_with(999), "launch error");
}

TEST_F(Examine, TheDevicesReportIsShown) {
  answer_.reply.sync_error = kIllegalAddress;
  std::strcpy(answer_.reply.report, "write of 4 bytes\nnaive.cu:12");
  EXPECT_TRUE(mentions("naive.cu:12"));
}

TEST_F(Examine, ALaunchThatFailedInSilenceIsALaunchError) {
  answer_.reply.launch_failed = 9;
  EXPECT_EQ(failure().kind, "launch error");
  EXPECT_TRUE(mentions("the kernel never ran"));
}

TEST_F(Examine, AnswersWithoutAKernelAreNotBelieved) {
  answer_.reply.launches = 0;
  EXPECT_EQ(failure().kind, "launch error");
}

TEST_F(Examine, AReturnedErrorIsShownWithTheFailedAllocation) {
  answer_.reply.returned = kMemoryAllocation;
  answer_.reply.failed_bytes = 123456;
  EXPECT_EQ(failure().kind, "launch error");
  EXPECT_TRUE(mentions("an allocation of 123,456 bytes failed"));
}

TEST_F(Examine, AChangedInputIsFound) {
  answer_.reply.input_hash[protocol::kK] ^= 1;
  EXPECT_EQ(failure().kind, "out of bounds");
  EXPECT_TRUE(mentions("K, which is an input"));
}

TEST_F(Examine, WritesBehindOAreFound) {
  O()[2 * 33 * 16 + 16] = 0;  // one row further than the first row behind the end
  EXPECT_EQ(failure().kind, "out of bounds");
  EXPECT_TRUE(mentions("rows q = 34..34 of the last head, which has rows 0..32"));
}

TEST_F(Examine, WritesBeforeOAndAroundLseAreFound) {
  O()[-1] = 0;
  EXPECT_TRUE(mentions("before its start"));
  answer_ = right_answer(problem_);
  answer_.buffers.back() = 0;
  EXPECT_TRUE(mentions("outside LSE"));
}

TEST_F(Examine, RowsThatWereNeverWrittenAreNamed) {
  for (int head = 0; head < 2; ++head)
    for (int k = 0; k < 16; ++k)
      O()[(head * 33 + 32) * 16 + k] = std::bit_cast<float>(protocol::filler_bits(protocol::kO));
  EXPECT_EQ(failure().kind, "never written");
  EXPECT_TRUE(mentions("O[b=0 h=0 q=32 k=0] still holds the NaN"));
  EXPECT_TRUE(mentions("never written: 2 of 66 rows, q = 32 of every head"));
  EXPECT_EQ(failure().diagnosis.slug, "grid-too-small");
}

TEST_F(Examine, ANanIsNeverRight) {
  O()[5] = NAN;
  EXPECT_EQ(failure().kind, "not finite");
}

TEST_F(Examine, AWrongElementIsNamedWithItsRatio) {
  O()[(33 + 16) * 16 + 3] = 100;
  EXPECT_EQ(failure().kind, "wrong values");
  EXPECT_TRUE(mentions("O[b=0 h=1 q=16 k=3] = 100, expected "));
  EXPECT_TRUE(mentions("times the rounding bound)"));
  EXPECT_TRUE(mentions("wrong: 1 of 66 rows, q = 16, in heads 1 of 2"));
}

TEST_F(Examine, SmallRelativeErrorsAreLostPrecision) {
  for (std::int64_t n = 0; n < kCase.q_elements(); ++n) O()[n] *= 1.001f;
  EXPECT_EQ(failure().kind, "precision");
}

TEST_F(Examine, AKnownMistakeIsNamed) {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < kCase.rows(); ++row) rows.push_back(row);
  const std::vector<float> wrong = simulate({.slug = "x", .scale_missing = true}, problem_, rows);
  std::copy(wrong.begin(), wrong.end(), O());
  EXPECT_EQ(failure().kind, "wrong values");
  EXPECT_EQ(failure().diagnosis.slug, "scale-missing");
  EXPECT_TRUE(failure().diagnosis.confident);
  EXPECT_EQ(failure().diagnosis.words, "the scores are not multiplied by softmax_scale");
}

TEST_F(Examine, FailuresCarryTheCase) {
  O()[0] = 100;
  EXPECT_EQ(failure().headline, "B=1 H=2 N_q=33 N_k=40 d=16, normally distributed inputs");
  EXPECT_NE(failure().case_json.find("\"seq_len_q\": 33"), std::string::npos);
}

// The same with LSE.
class ExamineLse : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<float> right = right_lse_variants()[0].run(problem_);
    std::copy(right.begin(), right.end(), LSE());
  }
  float* LSE() { return const_cast<float*>(answer_.LSE()); }
  Failure failure() {
    try {
      examine_memory(problem_, answer_);
      examine_lse(problem_, answer_);
    } catch (const Failure& failure) {
      return failure;
    }
    return {};
  }
  bool mentions(const std::string& part) {
    return failure().details.find(part) != std::string::npos;
  }

  // Two rows of each head see no key.
  Problem problem_ =
      draw({.heads = 2, .N_q = 33, .N_k = 31, .d = 16, .causal = true, .misaligned_floats = 1}, 51);
  Answer answer_ = right_answer(problem_);
};

TEST_F(ExamineLse, ARightOneHasNoFailure) { EXPECT_EQ(failure().kind, ""); }

TEST_F(ExamineLse, OneThatWasNeverWrittenIsNamed) {
  std::fill_n(LSE(), 66, std::bit_cast<float>(protocol::filler_bits(protocol::kLSE)));
  EXPECT_EQ(failure().kind, "never written");
  EXPECT_TRUE(mentions("LSE[b=0 h=0 q=0] still holds the NaN"));
  EXPECT_EQ(failure().diagnosis.slug, "lse-never-written");
}

TEST_F(ExamineLse, RowsThatWereNeverWrittenAreNamed) {
  LSE()[33 + 32] = std::bit_cast<float>(protocol::filler_bits(protocol::kLSE));
  EXPECT_EQ(failure().kind, "never written");
  EXPECT_TRUE(mentions("never written: 1 of 66 rows, q = 32, in heads 1 of 2"))
      << failure().details;
  EXPECT_EQ(failure().diagnosis.slug, "");
}

TEST_F(ExamineLse, AWrongOneIsNamedWithItsParts) {
  LSE()[33 + 16] = 100;
  EXPECT_EQ(failure().kind, "wrong values");
  EXPECT_TRUE(mentions("LSE[b=0 h=1 q=16] = 100, expected "));
  EXPECT_TRUE(mentions("times the rounding bound)"));
  EXPECT_TRUE(mentions("LSE = m + ln l; in this row m = "));
  EXPECT_TRUE(mentions("wrong: 1 of 66 rows, q = 16, in heads 1 of 2"));
}

TEST_F(ExamineLse, ANanIsNeverRight) {
  LSE()[5] = -NAN;
  EXPECT_EQ(failure().kind, "not finite");
  EXPECT_TRUE(mentions("LSE[b=0 h=0 q=5] = nan, expected "));
}

TEST_F(ExamineLse, RowsWithoutKeysAreMinusInfinity) {
  for (const float wrong : {0.0f, -1e30f}) {
    LSE()[0] = LSE()[1] = LSE()[33] = LSE()[34] = wrong;
    EXPECT_EQ(failure().kind, "wrong values");
    EXPECT_TRUE(mentions("expected -inf"));
    EXPECT_TRUE(mentions("this row sees no key"));
    EXPECT_EQ(failure().diagnosis.slug, "lse-empty-row");
  }
  LSE()[0] = NAN;
  EXPECT_EQ(failure().kind, "not finite");
}

TEST_F(ExamineLse, RowsWithKeysAreNotMinusInfinity) {
  LSE()[2] = -INFINITY;
  EXPECT_EQ(failure().kind, "not finite");
}

TEST_F(ExamineLse, ARowWithoutKeysInOIsExplained) {
  for (const float wrong : {NAN, 0.5f}) {
    const_cast<float*>(answer_.O())[3] = wrong;
    try {
      examine_values(problem_, answer_, {});
      FAIL();
    } catch (const Failure& failure) {
      EXPECT_NE(failure.details.find("this row sees no key: O is 0"), std::string::npos);
    }
  }
}

TEST_F(ExamineLse, ACausalMaskThatIsNotSupportedIsSaidInWords) {
  answer_.reply.returned = kNotSupported;
  try {
    examine_errors(problem_.shape, answer_);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind, "not supported");
    EXPECT_NE(
        failure.details.find("causal = true has to be supported from lesson 05 on"),
        std::string::npos);
  }
}

}  // namespace
}  // namespace judge
