// What is checked in lesson 05, in order; forward_checks.h says what the shared checks are about.
#include <gtest/gtest.h>

#include "forward_checks.h"

namespace {

using judge::Check;
using judge::Growth;
using judge::run_check;

constexpr lessons::Features kFeatures = {.lse = true, .causal = true};

constexpr char kText[] = "lessons/05_causal/README.md";

std::string section(const char* title) { return std::string(kText) + ", \"" + title + "\""; }

const judge::Lesson& lesson() {
  static const judge::Lesson plan = {
      "05_causal",
      lessons::plan_with(
          kText, "The idea",
          {
              {"lse", {"one_tile"}, section("The algorithm")},
              {"causal", {"many_tiles"}, section("The algorithm")},
              {"rows_without_keys", {"causal"}, section("The algorithm")},
              {"prefix", {"causal"}, section("The idea")},
              {"traffic", {"many_tiles"}, section("The idea")},
              {"skipped_tiles", {"causal"}, section("The idea")},
          }),
      {
          {"mask-top-left", "05.1"},
          {"mask-offset-sign", "05.1"},
          {"mask-strict", "05.1"},
          {"mask-one-more", "05.1"},
          {"diagonal-tile-skipped", "05.1"},
          {"first-tile-again", "05.2"},
          {"first-k-tile-again", "05.2"},
          {"first-v-tile-again", "05.2"},
          {"scale-missing", "05.3"},
          {"scale-twice", "05.3"},
          {"scale-ignored", "05.3"},
          {"scale-inverted-sign", "05.3"},
          {"max-of-unscaled", "05.3"},
          {"padding-counted", "05.3"},
          {"mask-missing", "05.3"},
          {"mask-upper", "05.3"},
          {"mask-local", "05.3"},
          {"mask-last-tile-only", "05.3"},
          {"mask-after-softmax", "05.3"},
          {"masked-score", "05.3"},
          {"empty-row-nan", "05.3"},
          {"empty-row-mean", "05.3"},
          {"lse-empty-row", "05.3"},
      },
      true,
      lessons::joined(
          {judge::naive_mistakes(), judge::tiled_mistakes(), judge::online_mistakes(),
           judge::causal_mistakes()})};
  return plan;
}

TEST(Lesson05, compiles) { run_check(lessons::compiles); }
TEST(Lesson05, launches) { run_check(lessons::launches); }
TEST(Lesson05, one_tile) { run_check(lessons::one_tile); }
TEST(Lesson05, many_tiles) { run_check(lessons::many_tiles); }
TEST(Lesson05, ragged) { run_check(lessons::ragged); }
TEST(Lesson05, cross_attention) { run_check(lessons::cross_attention); }
TEST(Lesson05, batch_and_heads) { run_check(lessons::batch_and_heads); }
TEST(Lesson05, head_dims) { run_check(lessons::head_dims); }
TEST(Lesson05, hard_numbers) { run_check(lessons::hard_numbers); }
TEST(Lesson05, large_index) { run_check(lessons::large_tensors); }
TEST(Lesson05, causal) { run_check(lessons::causal); }
TEST(Lesson05, rows_without_keys) { run_check(lessons::rows_without_keys); }
TEST(Lesson05, prefix) { run_check(lessons::prefix); }
TEST(Lesson05, contract) {
  run_check([](Check& check) { lessons::contract(check, kFeatures); });
}
TEST(Lesson05, memory) {
  run_check([](Check& check) { lessons::memory(check, Growth::kSubquadratic, kFeatures); });
}
TEST(Lesson05, repeatable) {
  run_check([](Check& check) { lessons::repeatable(check, kFeatures); });
}
TEST(Lesson05, safety) {
  run_check([](Check& check) { lessons::safety(check, kFeatures); });
}
TEST(Lesson05, lse) {
  run_check([](Check& check) { lessons::lse(check, kFeatures); });
}
TEST(Lesson05, traffic) { run_check(lessons::traffic); }
TEST(Lesson05, skipped_tiles) { run_check(lessons::skipped_tiles); }

}  // namespace

int main(int argc, char** argv) { return judge::lesson_main(argc, argv, lesson()); }
