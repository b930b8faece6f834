// What is checked in lesson 03, in order; forward_checks.h says what the shared checks are about.
#include <gtest/gtest.h>

#include "forward_checks.h"

namespace {

using judge::Check;
using judge::Growth;
using judge::run_check;

constexpr lessons::Features kFeatures = {.lse = true};

constexpr char kText[] = "lessons/03_online_softmax/README.md";

std::string section(const char* title) { return std::string(kText) + ", \"" + title + "\""; }

const judge::Lesson& lesson() {
  static const judge::Lesson plan = {
      "03_online_softmax",
      lessons::plan_with(
          kText, "The idea",
          {
              {"rising", {"one_tile"}, section("The idea")},
              {"lse", {"one_tile"}, section("The algorithm")},
              {"one_pass", {"many_tiles"}, section("The idea")},
          }),
      {
          {"first-tile-again", "03.1"},
          {"first-k-tile-again", "03.1"},
          {"first-v-tile-again", "03.1"},
          {"k-transposed", "03.1"},
          {"v-transposed", "03.1"},
          {"k-row-stride", "03.1"},
          {"v-row-stride", "03.1"},
          {"one-tile-per-block", "03.1"},
          {"scale-missing", "03.2"},
          {"scale-twice", "03.2"},
          {"scale-ignored", "03.2"},
          {"scale-inverted-sign", "03.2"},
          {"max-start", "03.2"},
          {"max-of-unscaled", "03.2"},
          {"dot-partial", "03.2"},
          {"dot-limited", "03.2"},
          {"no-max", "03.2"},
          {"base-two", "03.2"},
          {"padding-counted", "03.2"},
          {"o-not-rescaled", "03.2"},
          {"l-not-rescaled", "03.2"},
          {"nothing-rescaled", "03.2"},
          {"rescale-inverted", "03.2"},
          {"tile-maximum", "03.2"},
          {"divided-every-tile", "03.2"},
          {"denominator-last-tile", "03.2"},
          {"not-normalised", "03.3"},
          {"lse-never-written", "03.3"},
          {"lse-base-two", "03.3"},
          {"lse-mixed-bases", "03.3"},
          {"lse-m-only", "03.3"},
          {"lse-l-only", "03.3"},
          {"lse-without-log", "03.3"},
          {"lse-wrong-sign", "03.3"},
          {"lse-unscaled", "03.3"},
          {"lse-scaled-twice", "03.3"},
          {"lse-heads-inside", "03.3"},
      },
      true,
      lessons::joined(
          {judge::naive_mistakes(), judge::tiled_mistakes(), judge::online_mistakes()})};
  return plan;
}

TEST(Lesson03, compiles) { run_check(lessons::compiles); }
TEST(Lesson03, launches) { run_check(lessons::launches); }
TEST(Lesson03, one_tile) { run_check(lessons::one_tile); }
TEST(Lesson03, many_tiles) { run_check(lessons::many_tiles); }
TEST(Lesson03, ragged) { run_check(lessons::ragged); }
TEST(Lesson03, cross_attention) { run_check(lessons::cross_attention); }
TEST(Lesson03, batch_and_heads) { run_check(lessons::batch_and_heads); }
TEST(Lesson03, head_dims) { run_check(lessons::head_dims); }
TEST(Lesson03, hard_numbers) { run_check(lessons::hard_numbers); }
TEST(Lesson03, large_index) { run_check(lessons::large_tensors); }
TEST(Lesson03, contract) {
  run_check([](Check& check) { lessons::contract(check, kFeatures); });
}
TEST(Lesson03, memory) {
  run_check([](Check& check) { lessons::memory(check, Growth::kSubquadratic, kFeatures); });
}
TEST(Lesson03, repeatable) {
  run_check([](Check& check) { lessons::repeatable(check); });
}
TEST(Lesson03, safety) {
  run_check([](Check& check) { lessons::safety(check, kFeatures); });
}
TEST(Lesson03, rising) { run_check(lessons::rising); }
TEST(Lesson03, lse) {
  run_check([](Check& check) { lessons::lse(check, kFeatures); });
}

// As traffic in lesson 02, and K is loaded no more often than V. CPU device only.
TEST(Lesson03, one_pass) {
  run_check([](Check& check) { check.shares_keys({.N_q = 500, .N_k = 500, .d = 32}, 1); });
}

}  // namespace

int main(int argc, char** argv) { return judge::lesson_main(argc, argv, lesson()); }
