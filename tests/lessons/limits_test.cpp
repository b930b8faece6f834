// Problems at the end of what a launch can be, for every solution: more blocks than a grid has. Nothing is allocated or
// run: a launcher has to refuse by looking at the shape.
#include <gtest/gtest.h>

#include <climits>
#include <sstream>

#include "build_paths.h"
#include "judge/compile.h"
#include "judge/examine.h"
#include "judge/runner_client.h"

namespace judge {
namespace {

std::vector<std::string> compiler() {
  std::vector<std::string> words;
  std::istringstream stream(kBuildCompiler);
  for (std::string word; std::getline(stream, word, ';');) words.push_back(word);
  return words;
}

struct Solution {
  const char* name;
  protocol::Operation operation;
};

void PrintTo(const Solution& solution, std::ostream* stream) { *stream << solution.name; }

class Limits : public ::testing::TestWithParam<Solution> {};

// heads of N_q queries and N_k keys, with launches and allocations skipped.
Answer ask(Runner& runner, const Solution& solution, const Case& one_head, int heads) {
  Problem problem;
  problem.shape = one_head;
  return runner.ask(
      problem, {.operation = solution.operation, .dry_run = true, .last_of_heads = heads});
}

TEST_P(Limits, MoreBlocksThanAGridHasAreRefused) {
  const Solution& solution = GetParam();
  const TemporaryDirectory directory;
  const std::string library = directory.path() + "/library.so";
  compile(
      compiler(), std::string(kSourceRoot) + "/solutions/" + solution.name + ".cu", library,
      Seconds{120});
  Runner runner(kBuildRunner, library, Seconds{20});
  try {
    runner.load(solution.operation);
  } catch (const NotRun& reason) {
    GTEST_SKIP() << reason.reason;
  }
  // 2^31 - 1 heads are as many blocks as a grid has along x; twice as many are more than it has.
  for (const Case& shape : {
           Case{.batch = 2, .N_q = 1, .N_k = 1, .d = 1},
           Case{.batch = 3, .N_q = 1, .N_k = 1, .d = 1},
       }) {
    const Answer answer = ask(runner, solution, shape, INT_MAX);
    EXPECT_EQ(answer.reply.returned, kInvalidValue) << answer.reply.returned_text;
    EXPECT_EQ(answer.reply.launches, 0u);
    EXPECT_EQ(answer.reply.held_bytes, 0u);
  }
  // Fewer are not refused.
  const Answer answer =
      ask(runner, solution, {.batch = 2, .N_q = 1, .N_k = 1, .d = 1}, INT_MAX / 2);
  EXPECT_EQ(answer.reply.returned, kSuccess) << answer.reply.returned_text;
  EXPECT_GT(answer.reply.launches, 0u);
  EXPECT_LE(answer.reply.grid_blocks, 2147483647u);
}

INSTANTIATE_TEST_SUITE_P(
    Solutions, Limits,
    ::testing::Values(
        Solution{"01_naive", protocol::Operation::kForward},
        Solution{"02_tiled", protocol::Operation::kForward},
        Solution{"03_online_softmax", protocol::Operation::kForward},
        Solution{"04_vectorized_io", protocol::Operation::kForward},
        Solution{"05_causal", protocol::Operation::kForward},
        Solution{"06_backward", protocol::Operation::kBackward},
        Solution{"06_backward_fast", protocol::Operation::kBackward},
        Solution{"07_work_partitioning", protocol::Operation::kForward}),
    [](const auto& info) { return std::string("lesson_") + info.param.name; });

}  // namespace
}  // namespace judge
