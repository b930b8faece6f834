// The conversation with a runner, with libraries that do their worst (misbehaving/).
#include "judge/runner_client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <ostream>

#include "judge/examine.h"
#include "judge/random.h"
#include "judge/verdict.h"

namespace judge {
namespace {

const Case kSmall = {.N_q = 8, .N_k = 8, .d = 4};

std::string library(const std::string& name) {
  return std::string(JUDGE_MISBEHAVING) + "/lib" + name + ".so";
}

// For tests in which nothing hangs. On a GPU a process may wait seconds for its context.
constexpr Seconds kPatience{60};

// Skips the test where no device answers.
#define LOAD_OR_SKIP(runner)                               \
  try {                                                    \
    runner.load();                                         \
  } catch (const NotRun& reason) {                         \
    GTEST_SKIP() << reason.reason;                         \
  } catch (const Failure& failure) {                       \
    FAIL() << failure.headline << ": " << failure.details; \
  }

// How a conversation fails that asks two cases; an empty kind if it does not.
Failure conversation(Runner& runner) {
  try {
    const Problem problem = draw(kSmall, 1);
    runner.ask(problem, {});
    runner.ask(problem, {});
    runner.finish();
  } catch (const Failure& failure) {
    return failure;
  }
  return {};
}

struct Expectation {
  const char* library;
  const char* kind;
  const char* details;  // a part of them
  Seconds limit = kPatience;
};

void PrintTo(const Expectation& expectation, std::ostream* stream) {
  *stream << expectation.library;
}

class Misbehaving : public ::testing::TestWithParam<Expectation> {};

TEST_P(Misbehaving, GetsTheRightKind) {
  const Expectation& expected = GetParam();
  Runner runner(JUDGE_RUNNER, library(expected.library), expected.limit);
  LOAD_OR_SKIP(runner);
  const Failure failure = conversation(runner);
  EXPECT_EQ(failure.kind, expected.kind) << failure.details;
  EXPECT_NE(failure.details.find(expected.details), std::string::npos) << failure.details;
}

INSTANTIATE_TEST_SUITE_P(
    Libraries, Misbehaving,
    ::testing::Values(
        Expectation{"hangs", "hang", "no answer within 5 s", Seconds{5}},
        Expectation{"crashes", "crash", "was killed by signal 6 (Aborted)"},
        Expectation{"crashes", "crash", "it printed: last words"},
        Expectation{"calls_exit", "crash", "exited with status 0 before it answered"},
        Expectation{"closes_the_pipe", "protocol", "closed the judge's pipe"},
        Expectation{"sends_half_a_reply", "protocol", "ended after 4 of"},
        Expectation{"writes_a_forged_reply", "protocol", "something other than the runner"},
        Expectation{"floods_output", "", ""}),
    [](const auto& info) { return std::to_string(info.index) + info.param.library; });

TEST(RunnerClient, WritingAfterTheAnswerIsAProtocolError) {
  Runner runner(JUDGE_RUNNER, library("writes_after_the_reply"), kPatience);
  LOAD_OR_SKIP(runner);
  const Problem problem = draw(kSmall, 1);
  runner.ask(problem, {});
  usleep(500'000);
  try {
    runner.ask(problem, {});
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind, "protocol");
    EXPECT_EQ(failure.details, "the process wrote more to the judge's pipe than its answer");
  }
}

TEST(RunnerClient, ALibraryThatCrashesWhenLoadedIsACrash) {
  Runner runner(JUDGE_RUNNER, library("crashes_when_loaded"), kPatience);
  try {
    runner.load();
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind, "crash");
    EXPECT_EQ(failure.headline, "while the library was loaded");
  }
}

TEST(RunnerClient, ALibraryWithoutTheEntryPointIsNamed) {
  Runner runner(JUDGE_RUNNER, library("has_no_entry_point"), kPatience);
  try {
    runner.load();
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind, "compile error");
    EXPECT_EQ(failure.headline, "the library has no function attention_forward");
  }
}

TEST(RunnerClient, AFileThatIsNoLibraryIsNamed) {
  Runner runner(JUDGE_RUNNER, "/etc/passwd", kPatience);
  try {
    runner.load();
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind, "compile error");
    EXPECT_EQ(failure.headline, "the library cannot be loaded");
  }
}

TEST(RunnerClient, AMissingRunnerIsAnInternalError) {
  EXPECT_THROW(Runner("/nonexistent/runner", library("hangs"), kPatience), InternalError);
}

TEST(RunnerClient, ARunnerThatDoesNotStartIsAnInternalError) {
  Runner runner("/bin/false", library("hangs"), kPatience);
  EXPECT_THROW(runner.load(), InternalError);
}

TEST(RunnerClient, AFreshRunnerWorksAfterAnyFailure) {
  for (int round = 0; round < 2; ++round) {
    Runner crashing(JUDGE_RUNNER, library("crashes"), kPatience);
    LOAD_OR_SKIP(crashing);
    EXPECT_EQ(conversation(crashing).kind, "crash");
    Runner quiet(JUDGE_RUNNER, library("floods_output"), kPatience);
    quiet.load();
    EXPECT_EQ(conversation(quiet).kind, "");
  }
}

TEST(RunnerClient, AKernelThatDoesNothingLeavesEveryOutputUntouched) {
  Runner runner(JUDGE_RUNNER, library("floods_output"), kPatience);
  LOAD_OR_SKIP(runner);
  const Problem problem = draw({.heads = 2, .N_q = 5, .N_k = 7, .d = 3, .misaligned_floats = 1}, 3);
  const Answer answer = runner.ask(problem, {});
  EXPECT_EQ(touched_output(answer), "");
  EXPECT_NO_THROW(examine_memory(problem, answer));  // inputs and guard zones as they were
  EXPECT_THROW(examine_errors(problem.shape, answer), Failure);  // no launch
  EXPECT_EQ(answer.reply.held_bytes, 0u);
}

TEST(RunnerClient, EmptyAndImpossibleShapesAreServed) {
  Runner runner(JUDGE_RUNNER, library("floods_output"), kPatience);
  LOAD_OR_SKIP(runner);
  for (const Case& c :
       {Case{.N_q = 0, .N_k = 0}, Case{.batch = -1, .N_q = 4, .N_k = 4},
        Case{.N_q = 4, .N_k = 4, .d = 0}})
    EXPECT_EQ(runner.ask(draw(c, 1), {}).reply.returned, kSuccess);
}

TEST(RunnerClient, ADryRunOfAHugeProblemCostsNothing) {
  Runner runner(JUDGE_RUNNER, library("floods_output"), kPatience);
  LOAD_OR_SKIP(runner);
  Problem problem;
  problem.shape = {.heads = 2, .N_q = 65536, .N_k = 65536, .d = 128};
  const Answer answer = runner.ask(problem, {.dry_run = true});
  EXPECT_EQ(answer.reply.peak_bytes, 0u);
  EXPECT_TRUE(answer.buffers.empty());
}

TEST(RunnerClient, EveryAllocationIsCounted) {
  for (const bool dry_run : {false, true}) {
    Runner runner(JUDGE_RUNNER, library("keeps_memory"), kPatience);
    LOAD_OR_SKIP(runner);
    const Answer first = runner.ask(draw(kSmall, 1), {.dry_run = dry_run});
    ASSERT_EQ(first.reply.returned, kSuccess) << first.reply.returned_text;
    EXPECT_EQ(first.reply.allocations, 5u);
    EXPECT_EQ(first.reply.frees, 4u);
    EXPECT_EQ(first.reply.held_bytes, 1000u);
    EXPECT_EQ(first.reply.peak_bytes, 4 * 1000u + 1024);  // a pitched row is padded
    // What was kept counts again.
    const Answer second = runner.ask(draw(kSmall, 2), {.dry_run = dry_run});
    EXPECT_EQ(second.reply.held_bytes, 2000u);
    EXPECT_EQ(second.reply.peak_bytes, 5 * 1000u + 1024);
  }
}

TEST(RunnerClient, AnAllocationThatCannotBeIsReported) {
  for (const bool dry_run : {false, true}) {
    Runner runner(JUDGE_RUNNER, library("asks_for_too_much"), kPatience);
    LOAD_OR_SKIP(runner);
    const Answer answer = runner.ask(draw(kSmall, 1), {.dry_run = dry_run});
    EXPECT_EQ(answer.reply.returned, kMemoryAllocation);
    EXPECT_EQ(answer.reply.failed_bytes, SIZE_MAX - 4095);
    EXPECT_EQ(answer.reply.held_bytes, 0u);
  }
}

// A runner must end on a malformed request, not obey it.
TEST(Protocol, MalformedRequestsEndTheRunner) {
  Random random(77);
  for (int round = 0; round < 40; ++round) {
    Process process({JUDGE_RUNNER, library("floods_output")}, Process::Pipes::kTalking);
    protocol::Hello hello[2];
    std::size_t received = 0;
    ASSERT_EQ(
        process.exchange({}, hello, sizeof(hello), Seconds{20}, &received), Process::Event::kDone);
    if (hello[1].status != protocol::LoadStatus::kReady) GTEST_SKIP() << hello[1].text;
    protocol::Request request = make_request(kSmall, {}, 1);
    // One field that is checked, changed to something else.
    switch (random.below(6)) {
      case 0:
        request.magic ^= 1u << random.below(32);
        break;
      case 1:
        request.version += 1 + static_cast<std::uint32_t>(random.below(100));
        break;
      case 2:
        request.elements[random.below(protocol::kTensors)] |= std::uint64_t{1}
                                                              << (29 + random.below(35));
        break;
      case 3:
        request.guard_floats = protocol::kMaxGuard + 1;
        break;
      case 4:
        request.offset_floats[random.below(protocol::kTensors)] = 65;
        break;
      default:
        request.payload_bytes ^= std::uint64_t{1} << random.below(64);
        break;
    }
    std::string message(sizeof(request), '\0');
    std::memcpy(message.data(), &request, sizeof(request));
    char reply;
    EXPECT_EQ(process.exchange(message, &reply, 1, Seconds{20}, &received), Process::Event::kEnded);
    process.kill_group();
    EXPECT_TRUE(process.exited_with(2)) << process.ending();
  }
}

TEST(Protocol, BuffersAreLaidOutAsTheLengthsSay) {
  Case c = {.N_q = 3, .N_k = 2, .d = 2, .misaligned_floats = 3};
  const Problem problem = draw(c, 1);
  const protocol::Request request = make_request(c, {}, 1);
  std::vector<float> buffer(protocol::buffer_floats(request, protocol::kQ));
  protocol::fill_buffer(request, protocol::kQ, problem.inputs.Q.data(), buffer.data());
  const std::size_t first = request.guard_floats + 3;
  ASSERT_EQ(buffer.size(), first + 6 + request.guard_floats);
  EXPECT_TRUE(std::equal(problem.inputs.Q.begin(), problem.inputs.Q.end(), buffer.begin() + first));
  for (const std::size_t outside : {std::size_t{0}, first - 1, first + 6, buffer.size() - 1})
    EXPECT_EQ(std::bit_cast<std::uint32_t>(buffer[outside]), protocol::filler_bits(protocol::kQ));
  const std::uint64_t hash = protocol::hash_floats(buffer.data(), buffer.size());
  buffer[0] = 0;
  EXPECT_NE(protocol::hash_floats(buffer.data(), buffer.size()), hash);
}

}  // namespace
}  // namespace judge
