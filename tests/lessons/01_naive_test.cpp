// What is checked in lesson 01, in order; forward_checks.h says what each check is about.
#include <gtest/gtest.h>

#include "forward_checks.h"

namespace {

using judge::Check;
using judge::Growth;
using judge::run_check;

const judge::Lesson& lesson() {
  static const judge::Lesson plan = {
      "01_naive",
      lessons::plan_with("lessons/01_naive/README.md", "What still hurts", {}),
      {
          {"row-guard-missing", "01.1"},
          {"q-transposed", "01.1"},
          {"q-row-stride", "01.1"},
          {"q-stride-N_k", "01.1"},
          {"heads-inside", "01.1"},
          {"head-offset-missing", "01.1"},
          {"kv-head-offset-missing", "01.1"},
          {"k-head-offset-missing", "01.1"},
          {"v-head-offset-missing", "01.1"},
          {"batch-offset-missing", "01.1"},
          {"kv-batch-offset-missing", "01.1"},
          {"kv-heads-outside", "01.1"},
          {"kv-stride-N_q", "01.1"},
          {"k-and-v-swapped", "01.1"},
          {"scale-missing", "01.2"},
          {"scale-twice", "01.2"},
          {"scale-ignored", "01.2"},
          {"scale-inverted-sign", "01.2"},
          {"max-start", "01.2"},
          {"max-of-unscaled", "01.2"},
          {"k-transposed", "01.2"},
          {"k-row-stride", "01.2"},
          {"dot-partial", "01.2"},
          {"dot-limited", "01.2"},
          {"no-max", "01.3"},
          {"base-two", "01.3"},
          {"softmax-over-queries", "01.3"},
          {"last-weight-dropped", "01.3"},
          {"not-normalised", "01.4"},
          {"divided-by-count", "01.4"},
          {"last-value-dropped", "01.4"},
          {"v-transposed", "01.4"},
          {"v-row-stride", "01.4"},
          {"read-before-write", "01.4"},
          {"output-never-written", "01.4"},
      }};
  return plan;
}

TEST(Lesson01, compiles) { run_check(lessons::compiles); }
TEST(Lesson01, launches) { run_check(lessons::launches); }
TEST(Lesson01, one_tile) { run_check(lessons::one_tile); }
TEST(Lesson01, many_tiles) { run_check(lessons::many_tiles); }
TEST(Lesson01, ragged) { run_check(lessons::ragged); }
TEST(Lesson01, cross_attention) { run_check(lessons::cross_attention); }
TEST(Lesson01, batch_and_heads) { run_check(lessons::batch_and_heads); }
TEST(Lesson01, head_dims) { run_check(lessons::head_dims); }
TEST(Lesson01, hard_numbers) { run_check(lessons::hard_numbers); }
TEST(Lesson01, large_index) {
  run_check([](Check& check) {
    lessons::large_scores(check);
    lessons::large_tensors(check);
  });
}
TEST(Lesson01, contract) {
  run_check([](Check& check) { lessons::contract(check); });
}
TEST(Lesson01, memory) {
  run_check([](Check& check) { lessons::memory(check, Growth::kQuadratic); });
}
TEST(Lesson01, repeatable) {
  run_check([](Check& check) { lessons::repeatable(check); });
}
TEST(Lesson01, safety) {
  run_check([](Check& check) { lessons::safety(check); });
}

}  // namespace

int main(int argc, char** argv) { return judge::lesson_main(argc, argv, lesson()); }
