// What is said about an answer of the backward pass, gradient by gradient.
#include "judge/examine_gradients.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "judge/gradient_reference.h"

namespace judge {
namespace {

using namespace protocol;

const Case kCase = {.heads = 2, .N_q = 33, .N_k = 40, .d = 16};

// What a correct kernel answers.
Answer right_answer(const Problem& problem, Operation operation) {
  Answer answer;
  answer.request = make_request(problem.shape, {.operation = operation}, 1);
  answer.reply.launches = 1;
  answer.reply.outputs_read = 1;
  const Gradients exact = reference_gradients(problem, true);
  for (int t = 0; t < kTensors; ++t) {
    std::vector<float> buffer(buffer_floats(answer.request, t));
    if (is_input(operation, t)) {
      fill_buffer(answer.request, t, problem.inputs.tensor(t).data(), buffer.data());
      answer.reply.input_hash[t] = hash_floats(buffer.data(), buffer.size());
    } else if (is_output(operation, t)) {
      const std::vector<double>& value = exact.tensor(t).value;
      const std::vector<float> floats(value.begin(), value.end());
      fill_buffer(answer.request, t, floats.data(), buffer.data());
      answer.buffers.insert(answer.buffers.end(), buffer.begin(), buffer.end());
    }
  }
  return answer;
}

class ExamineGradients : public ::testing::Test {
 protected:
  float* tensor(int number) { return const_cast<float*>(answer_.tensor(number)); }
  void fill_with_filler(int number, std::int64_t first, std::int64_t end) {
    std::fill(
        tensor(number) + first, tensor(number) + end, std::bit_cast<float>(filler_bits(number)));
  }
  Failure failure() {
    try {
      examine_errors(kCase, answer_);
      examine_memory(problem_, answer_);
      examine_gradients(problem_, answer_);
    } catch (const Failure& failure) {
      return failure;
    }
    return {};
  }
  bool mentions(const std::string& part) {
    return failure().details.find(part) != std::string::npos;
  }

  Problem problem_ = draw_backward(kCase, 31);
  Answer answer_ = right_answer(problem_, Operation::kBackward);
};

TEST_F(ExamineGradients, ARightAnswerHasNoFailure) { EXPECT_EQ(failure().kind, ""); }

TEST_F(ExamineGradients, AWrongGradientIsNamedAndTheOthersAreCalledRight) {
  for (std::int64_t n = 0; n < kCase.elements(kGradK); ++n) tensor(kGradK)[n] *= 4;
  EXPECT_EQ(failure().kind, "wrong values");
  EXPECT_TRUE(mentions("dK[b=0 h=")) << failure().details;
  EXPECT_TRUE(mentions("wrong: 80 of 80 rows")) << failure().details;
  EXPECT_TRUE(mentions("dQ and dV are right, dK is wrong")) << failure().details;
  EXPECT_EQ(failure().diagnosis.slug, "dk-scale-missing");
}

TEST_F(ExamineGradients, OnlyWhatIsAskedForHasToBeRight) {
  tensor(kGradK)[0] += 1;
  EXPECT_NO_THROW(examine_gradients(problem_, answer_, {kGradV, kGradQ}));
  EXPECT_THROW(examine_gradients(problem_, answer_, {kGradV, kGradK}), Failure);
}

TEST_F(ExamineGradients, RowsOfKeysThatWereNeverWrittenAreCounted) {
  for (int head = 0; head < 2; ++head)
    fill_with_filler(kGradV, (head * 40 + 32) * 16, (head + 1) * 40 * 16);
  EXPECT_EQ(failure().kind, "never written");
  EXPECT_TRUE(mentions("dV[b=0 h=0 j=32 k=0] still holds the NaN")) << failure().details;
  EXPECT_TRUE(mentions("j = 32..39 of every head")) << failure().details;
  EXPECT_EQ(failure().diagnosis.slug, "grid-too-small");
}

TEST_F(ExamineGradients, AnOutputThatIsAddedToBeforeItIsWrittenIsRecognised) {
  tensor(kGradQ)[5] = std::bit_cast<float>(filler_bits(kGradQ) | kQuietBit);
  EXPECT_EQ(failure().kind, "not finite");
  EXPECT_EQ(failure().diagnosis.slug, "read-before-write");
  EXPECT_EQ(
      failure().diagnosis.words, "dQ is read before it is written, as in dQ += x; it held NaN");
}

TEST_F(ExamineGradients, AChangedInputIsNamed) {
  answer_.reply.input_hash[kLSE] ^= 1;
  EXPECT_EQ(failure().kind, "out of bounds");
  EXPECT_TRUE(mentions("LSE, which is an input")) << failure().details;
}

TEST_F(ExamineGradients, AWriteBehindAGradientIsNamed) {
  tensor(kGradV)[kCase.elements(kGradV) + 3] = 1;
  EXPECT_EQ(failure().kind, "out of bounds");
  EXPECT_TRUE(mentions("rows j = 40..40 of the last head, which has rows 0..39"))
      << failure().details;
}

TEST_F(ExamineGradients, LostDigitsAreNoWrongFormula) {
  for (std::int64_t n = 0; n < kCase.elements(kGradQ); ++n)
    tensor(kGradQ)[n] *= n % 2 == 0 ? 1.0005f : 0.9995f;
  EXPECT_EQ(failure().kind, "precision");
}

TEST_F(ExamineGradients, AnUnsupportedMaskIsNotWhatThisLessonIsAbout) {
  Case causal = kCase;
  causal.causal = true;
  answer_.reply.returned = kNotSupported;
  try {
    examine_errors(causal, answer_);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind, "not supported");
    EXPECT_NE(failure.details.find("attention_backward returned"), std::string::npos);
    EXPECT_NE(failure.details.find("from lesson 05 on"), std::string::npos);
  }
}

TEST(ExamineStages, NamesTheStageAndThePair) {
  const Problem problem = draw_backward(kCase, 31);
  Answer answer = right_answer(problem, Operation::kStages);
  EXPECT_NO_THROW(examine_stages(problem, answer, {kDelta, kGradP, kGradS}));
  const_cast<float*>(answer.tensor(kGradS))[40 + 7] += 1;
  EXPECT_NO_THROW(examine_stages(problem, answer, {kDelta, kGradP}));
  try {
    examine_stages(problem, answer, {kGradP, kGradS});
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_NE(failure.details.find("dS[b=0 h=0 q=1 j=7]"), std::string::npos) << failure.details;
    EXPECT_NE(failure.details.find("dP is right, dS is wrong"), std::string::npos)
        << failure.details;
  }
}

}  // namespace
}  // namespace judge
