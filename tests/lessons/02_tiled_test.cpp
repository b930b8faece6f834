// What is checked in lesson 02, in order; forward_checks.h says what the shared checks are about.
#include <gtest/gtest.h>

#include "forward_checks.h"

namespace {

using judge::Check;
using judge::Growth;
using judge::run_check;

constexpr char kText[] = "lessons/02_tiled/README.md";

std::string section(const char* title) { return std::string(kText) + ", \"" + title + "\""; }

const judge::Lesson& lesson() {
  static const judge::Lesson plan = {
      "02_tiled",
      lessons::plan_with(
          kText, "What still hurts",
          {
              {"traffic", {"many_tiles"}, section("The idea")},
          }),
      {
          {"first-tile-again", "02.1"},
          {"first-k-tile-again", "02.1"},
          {"first-v-tile-again", "02.1"},
          {"k-transposed", "02.1"},
          {"v-transposed", "02.1"},
          {"k-row-stride", "02.1"},
          {"v-row-stride", "02.1"},
          {"one-tile-per-block", "02.1"},
          {"scale-missing", "02.2"},
          {"scale-twice", "02.2"},
          {"scale-ignored", "02.2"},
          {"scale-inverted-sign", "02.2"},
          {"max-start", "02.2"},
          {"max-of-unscaled", "02.2"},
          {"dot-partial", "02.2"},
          {"dot-limited", "02.2"},
          {"no-max", "02.3"},
          {"base-two", "02.3"},
          {"not-normalised", "02.3"},
          {"last-weight-dropped", "02.3"},
          {"last-value-dropped", "02.3"},
          {"partial-tile-dropped", "02.3"},
          {"padding-counted", "02.3"},
      },
      false,
      lessons::joined({judge::naive_mistakes(), judge::tiled_mistakes()})};
  return plan;
}

TEST(Lesson02, compiles) { run_check(lessons::compiles); }
TEST(Lesson02, launches) { run_check(lessons::launches); }
TEST(Lesson02, one_tile) { run_check(lessons::one_tile); }
TEST(Lesson02, many_tiles) { run_check(lessons::many_tiles); }
TEST(Lesson02, ragged) { run_check(lessons::ragged); }
TEST(Lesson02, cross_attention) { run_check(lessons::cross_attention); }
TEST(Lesson02, batch_and_heads) { run_check(lessons::batch_and_heads); }
TEST(Lesson02, head_dims) { run_check(lessons::head_dims); }
TEST(Lesson02, hard_numbers) { run_check(lessons::hard_numbers); }
TEST(Lesson02, large_index) {
  run_check([](Check& check) {
    lessons::large_scores(check);
    lessons::large_tensors(check);
  });
}
TEST(Lesson02, contract) {
  run_check([](Check& check) { lessons::contract(check); });
}
TEST(Lesson02, memory) {
  run_check([](Check& check) { lessons::memory(check, Growth::kQuadratic); });
}
TEST(Lesson02, repeatable) {
  run_check([](Check& check) { lessons::repeatable(check); });
}
TEST(Lesson02, safety) {
  run_check([](Check& check) { lessons::safety(check); });
}
TEST(Lesson02, traffic) { run_check(lessons::traffic); }

}  // namespace

int main(int argc, char** argv) { return judge::lesson_main(argc, argv, lesson()); }
