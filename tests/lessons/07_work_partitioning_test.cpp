// What is checked in lesson 07, in order; forward_checks.h says what the shared checks are about.
#include <gtest/gtest.h>

#include "forward_checks.h"

namespace {

using judge::Check;
using judge::Growth;
using judge::run_check;

constexpr lessons::Features kFeatures = {.lse = true, .causal = true, .grouped_heads = true};

constexpr char kText[] = "lessons/07_work_partitioning/README.md";

std::string section(const char* title) { return std::string(kText) + ", \"" + title + "\""; }

const judge::Lesson& lesson() {
  static const judge::Lesson plan = {
      "07_work_partitioning",
      lessons::plan_with(
          kText, "The idea",
          {
              {"lse", {"one_tile"}, section("The algorithm")},
              {"causal", {"many_tiles"}, section("The algorithm")},
              {"rows_without_keys", {"causal"}, section("The algorithm")},
              {"prefix", {"causal"}, section("The algorithm")},
              {"grouped_heads", {"batch_and_heads"}, section("The algorithm")},
              {"scalar_path", {"one_tile", "head_dims"}, section("From algorithm to threads")},
              {"traffic", {"many_tiles"}, section("The idea")},
              {"access_width", {"many_tiles"}, section("From algorithm to threads")},
              {"skipped_tiles", {"causal"}, section("From algorithm to threads")},
              {"work_partitioning", {"many_tiles"}, section("The idea")},
              {"speed", {"many_tiles"}, section("Measure")},
          }),
      {
          {"head-offset-missing", "07.1"},
          {"kv-head-offset-missing", "07.1"},
          {"k-head-offset-missing", "07.1"},
          {"v-head-offset-missing", "07.1"},
          {"batch-offset-missing", "07.1"},
          {"kv-batch-offset-missing", "07.1"},
          {"kv-head-modulo", "07.1"},
          {"kv-head-by-count", "07.1"},
          {"tile-order-output", "07.1"},
          {"tile-order-mask", "07.1"},
          {"tile-order-bound", "07.1"},
          {"row-guard-missing", "07.1"},
          {"dot-partial", "07.2"},
          {"dot-limited", "07.2"},
          {"dot-drops-w", "07.2"},
          {"k-transposed", "07.2"},
          {"equal-weights", "07.2"},
          {"no-max", "07.3"},
          {"max-start", "07.3"},
          {"lanes-disagree", "07.3"},
          {"last-tile-only", "07.3"},
          {"last-value-dropped", "07.4"},
          {"v-transposed", "07.4"},
      },
      true,
      lessons::joined(
          {judge::naive_mistakes(), judge::tiled_mistakes(), judge::online_mistakes(),
           judge::vector_mistakes(), judge::causal_mistakes(), judge::partitioned_mistakes()})};
  return plan;
}

TEST(Lesson07, compiles) { run_check(lessons::compiles); }
TEST(Lesson07, launches) { run_check(lessons::launches); }
TEST(Lesson07, one_tile) { run_check(lessons::one_tile); }
TEST(Lesson07, many_tiles) { run_check(lessons::many_tiles); }
TEST(Lesson07, ragged) { run_check(lessons::ragged); }
TEST(Lesson07, cross_attention) { run_check(lessons::cross_attention); }
TEST(Lesson07, batch_and_heads) { run_check(lessons::batch_and_heads); }
TEST(Lesson07, head_dims) { run_check(lessons::head_dims); }
TEST(Lesson07, hard_numbers) { run_check(lessons::hard_numbers); }
TEST(Lesson07, large_index) { run_check(lessons::large_tensors); }
TEST(Lesson07, causal) { run_check(lessons::causal); }
TEST(Lesson07, rows_without_keys) { run_check(lessons::rows_without_keys); }
TEST(Lesson07, prefix) { run_check(lessons::prefix); }
TEST(Lesson07, grouped_heads) { run_check(lessons::grouped_heads); }
TEST(Lesson07, contract) {
  run_check([](Check& check) { lessons::contract(check, kFeatures); });
}
TEST(Lesson07, memory) {
  run_check([](Check& check) { lessons::memory(check, Growth::kSubquadratic, kFeatures); });
}
TEST(Lesson07, repeatable) {
  run_check([](Check& check) { lessons::repeatable(check, kFeatures); });
}
TEST(Lesson07, safety) {
  run_check([](Check& check) { lessons::safety(check, kFeatures); });
}
TEST(Lesson07, lse) {
  run_check([](Check& check) { lessons::lse(check, kFeatures); });
}
TEST(Lesson07, scalar_path) { run_check(lessons::scalar_path); }
TEST(Lesson07, traffic) { run_check(lessons::traffic); }
TEST(Lesson07, access_width) { run_check(lessons::access_width); }
TEST(Lesson07, skipped_tiles) { run_check(lessons::skipped_tiles); }

// Enough blocks, few barriers and exponentials, register tiles, and warps that share nothing but K and V. CPU device
// only.
TEST(Lesson07, work_partitioning) {
  run_check([](Check& check) { check.divides_work(); });
}

// Against the learner's own lesson 05, if it is there. GPU only.
TEST(Lesson07, speed) {
  run_check([](Check& check) {
    check.is_faster_than({.heads = 16, .N_q = 4096, .N_k = 4096, .d = 64}, "05_causal.cu", 1.2);
  });
}

}  // namespace

int main(int argc, char** argv) { return judge::lesson_main(argc, argv, lesson()); }
