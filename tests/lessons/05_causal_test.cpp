// What is checked in lesson 05, in order; forward_checks.h says what the shared checks are about.
#include <gtest/gtest.h>

#include "forward_checks.h"

namespace {

using judge::Check;
using judge::Family;
using judge::Growth;
using judge::run_check;
using judge::with_scale;

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

// Causal, and every query sees at least one key.
TEST(Lesson05, causal) {
  run_check([](Check& check) {
    // As many queries as keys; lengths in and between the usual tiles.
    check.values({.N_q = 16, .N_k = 16, .d = 32, .causal = true});
    for (const int N : {1, 33, 48, 50, 64, 80, 96, 128, 130, 160, 192, 257})
      check.values({.N_q = N, .N_k = N, .d = 16, .causal = true});
    check.values({.N_q = 64, .N_k = 64, .d = 16, .causal = true, .inputs = Family::kRowTag});
    check.values({.N_q = 50, .N_k = 50, .causal = true, .inputs = Family::kRowTag});
    // More keys than queries.
    check.values({.N_q = 33, .N_k = 97, .d = 24, .causal = true});
    check.values({.N_q = 1, .N_k = 129, .causal = true});
    check.values({.N_q = 17, .N_k = 200, .d = 32, .causal = true});
    check.values({.N_q = 64, .N_k = 128, .d = 8, .causal = true});
    check.values({.N_q = 130, .N_k = 131, .d = 8, .causal = true});
    check.values({.N_q = 3, .N_k = 4096, .d = 16, .causal = true});
    check.values({.N_q = 65, .N_k = 130, .d = 8, .causal = true, .inputs = Family::kRowTag});
    // The head dimensions, heads, pointers, scales and inputs of the other checks.
    check.values({.batch = 2, .heads = 3, .N_q = 33, .N_k = 50, .d = 16, .causal = true});
    for (const int d : {1, 3, 6, 37, 40, 127, 128})
      check.values({.heads = 2, .N_q = 40, .N_k = 50, .d = d, .causal = true});
    for (const int floats : {1, 2, 3})
      check.values(
          {.heads = 2, .N_q = 40, .N_k = 50, .d = 32, .causal = true, .misaligned_floats = floats});
    check.values(with_scale({.N_q = 40, .N_k = 56, .d = 24, .causal = true}, -0.25));
    for (const Family family : judge::kAllFamilies) {
      check.values({.N_q = 130, .N_k = 130, .d = 16, .causal = true, .inputs = family});
      check.values({.heads = 2, .N_q = 33, .N_k = 97, .d = 6, .causal = true, .inputs = family});
    }
  });
}

// More queries than keys: the first ones see nothing, and their row of O is 0.
TEST(Lesson05, rows_without_keys) {
  run_check([](Check& check) {
    check.values({.N_q = 20, .N_k = 12, .d = 16, .causal = true});
    check.values({.N_q = 97, .N_k = 33, .d = 24, .causal = true});
    check.values({.heads = 2, .N_q = 128, .N_k = 64, .d = 8, .causal = true});
    check.values({.N_q = 200, .N_k = 65, .d = 37, .causal = true});
    check.values({.N_q = 5, .N_k = 3, .d = 16, .causal = true});
    check.values({.N_q = 129, .N_k = 1, .d = 4, .causal = true});
    for (const Family family : judge::kAllFamilies)
      check.values({.N_q = 20, .N_k = 12, .d = 16, .causal = true, .inputs = family});
  });
}

// Whatever lies in a query's future leaves its row as it is, to the last bit.
TEST(Lesson05, prefix) {
  run_check([](Check& check) {
    for (const int i : {0, 15, 31, 32, 48})
      check.sees_no_future({.heads = 2, .N_q = 50, .N_k = 50, .d = 16, .causal = true}, i);
    for (const int i : {0, 10, 31})
      check.sees_no_future({.N_q = 33, .N_k = 97, .d = 8, .causal = true}, i);
    for (const int i : {0, 15, 16, 30})
      check.sees_no_future({.N_q = 40, .N_k = 24, .d = 6, .causal = true}, i);
    for (const int i : {63, 64, 100})
      check.sees_no_future({.N_q = 150, .N_k = 150, .d = 4, .causal = true}, i);
  });
}
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

// With the mask, K and V cost about half of what they cost without it. CPU device only.
TEST(Lesson05, skipped_tiles) {
  run_check([](Check& check) { check.skips_tiles({.d = 32}); });
}

}  // namespace

int main(int argc, char** argv) { return judge::lesson_main(argc, argv, lesson()); }
