// The check of how the work is divided, and the time that it saves.
#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <vector>

#include "check.h"
#include "compile.h"
#include "partition_rule.h"
#include "text.h"

namespace judge {
namespace {

// Between these two lengths lies a multiple of all usual tiles: 16, 24, 32, 48, 64, 96 and 128 keys. The same number of
// queries is one of their usual tiles.
constexpr int kFewKeys = 32;
constexpr int kMoreKeys = kFewKeys + 384;
constexpr int kQueries = 384;
constexpr int kOtherQueries = 896;  // the same for tiles of 112
constexpr int kLargestHeadDim = 128;

constexpr int kTimedCalls = 11;
constexpr int kCheckedRows = 64;  // of a result that takes the judge too long to compute whole

// Not evenly spaced in tiles of any size.
std::vector<std::int64_t> some_rows(const Case& c) {
  std::vector<std::int64_t> rows;
  const std::int64_t step = std::max<std::int64_t>(c.rows() / kCheckedRows, 1) | 1;
  for (std::int64_t row = 0; row < c.rows(); row += step) rows.push_back(row);
  return rows;
}

}  // namespace

void Check::divides_work() {
  std::string failures;
  const char* kind = "";
  Case failed;
  const auto judged = [&](const Case& shape, const PartitionVerdict& verdict) {
    if (verdict.accepted()) return note(verdict.words);
    if (*kind == '\0') {
      kind = verdict.kind;
      failed = shape;
    }
    failures += (failures.empty() ? "" : "\n") + verdict.words;
  };

  const Case one_head = {.N_q = 1024, .N_k = 16, .d = 16};
  const std::uint64_t blocks = counted_call(one_head).reply.grid_blocks;
  judged(one_head, judge_blocks(one_head.N_q, blocks));

  Case one_tile = {.N_q = 16, .N_k = 512, .d = 32};
  const bool one_block = counted_call(one_tile).reply.grid_blocks == 1;
  const auto barriers = [&](int N_k) {
    one_tile.N_k = N_k;
    return counted(one_tile).barriers;
  };
  // Long tiles take few steps.
  Steps steps = find_steps(barriers, 128, 256);
  if (steps.count < 2) steps = find_steps(barriers, 256, 512);
  if (steps.count < 2) steps = find_steps(barriers, 512, 2048);
  one_tile.N_k = 512;
  judged(one_tile, judge_barriers(steps, one_block));

  const auto growth_at = [&](Case* shape) {
    shape->N_k = kFewKeys;
    const protocol::Counts few = counted(*shape);
    shape->N_k = kMoreKeys;
    const protocol::Counts more = counted(*shape);
    shape->N_k = kMoreKeys - kFewKeys;
    return growth(few, more);
  };
  Case shape = {.N_q = kQueries, .d = kLargestHeadDim};
  const protocol::Counts added = growth_at(&shape);
  judged(shape, judge_exponentials(shape, added));
  judged(shape, judge_shared_stores(shape, added));
  PartitionVerdict loads = judge_shared_loads(shape, added);
  if (!loads.accepted()) {
    shape = {.N_q = kOtherQueries, .d = 64};
    loads = judge_shared_loads(shape, growth_at(&shape));
  }
  judged(shape, loads);
  if (*kind != '\0') {
    if (failed.N_k == kMoreKeys - kFewKeys) failed.N_k = kMoreKeys;
    fail(failed, kind, failures);
  }
}

// The first call has right values in some rows and is not timed: it also loads the kernel.
double Check::median_milliseconds(Runner& runner, const Problem& problem) {
  std::vector<double> times;
  for (int n = 0; n <= kTimedCalls; ++n) {
    const Answer answer = runner.ask(problem, {});
    examine_errors(problem.shape, answer);
    if (n == 0) {
      examine_memory(problem, answer);
      examine_values(problem, answer, {}, some_rows(problem.shape));
    } else {
      times.push_back(static_cast<double>(answer.reply.elapsed_ns) / 1e6);
    }
  }
  std::nth_element(times.begin(), times.begin() + kTimedCalls / 2, times.end());
  return times[kTimedCalls / 2];
}

void Check::is_faster_than(const Case& shape, const std::string& other_file, double times) {
  if (on_cpu()) not_run("time is measured on a GPU only");
  const std::string other =
      std::filesystem::path(workshop_.source).replace_filename(other_file).string();
  if (!std::filesystem::is_regular_file(other))
    not_run("there is no " + other_file + " beside the file to compare its time with");
  const Problem problem = draw_next(shape);
  const double mine = median_milliseconds(runner(), problem);
  finish();

  const std::string library = workshop_.library + ".other.so";
  double others = 0;
  try {
    compile(workshop_.compiler, other, library, workshop_.compile_limit);
    Runner runner(workshop_.runner, library, workshop_.answer_limit);
    runner.load();
    others = median_milliseconds(runner, problem);
    runner.finish();
  } catch (const Failure& failure) {
    not_run(other_file + ", whose time is to be compared, is not right: " + failure.kind);
  }
  const std::string words = format(
      "%.2f times as fast as %s: %.2f ms against %.2f ms", others / mine, other_file.c_str(), mine,
      others);
  if (!(others >= times * mine))
    fail(
        shape, "speed",
        words + format("\nat least %.1f times is expected: twice as fast or more is usual", times));
  note(words);
}

}  // namespace judge
