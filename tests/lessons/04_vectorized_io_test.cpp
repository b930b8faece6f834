// What is checked in lesson 04, in order; forward_checks.h says what the shared checks are about.
#include <gtest/gtest.h>

#include "forward_checks.h"

namespace {

using judge::Check;
using judge::Growth;
using judge::run_check;
using protocol::kK, protocol::kLSE, protocol::kO, protocol::kQ, protocol::kV;

constexpr lessons::Features kFeatures = {.lse = true};

constexpr char kText[] = "lessons/04_vectorized_io/README.md";

std::string section(const char* title) { return std::string(kText) + ", \"" + title + "\""; }

const judge::Lesson& lesson() {
  static const judge::Lesson plan = {
      "04_vectorized_io",
      lessons::plan_with(
          kText, "The idea",
          {
              {"rising", {"one_tile"}, section("The idea")},
              {"lse", {"one_tile"}, section("The algorithm")},
              {"scalar_path", {"one_tile", "head_dims"}, section("From algorithm to threads")},
              {"traffic", {"many_tiles"}, section("The idea")},
              {"access_width", {"many_tiles"}, section("The idea")},
          }),
      {
          {"dot-drops-w", "04.1"},
          {"dot-partial", "04.2"},
          {"tail-twice", "04.2"},
          {"first-tile-again", "04.2"},
          {"first-k-tile-again", "04.2"},
          {"first-v-tile-again", "04.2"},
      },
      true,
      lessons::joined(
          {judge::naive_mistakes(), judge::tiled_mistakes(), judge::online_mistakes(),
           judge::vector_mistakes()})};
  return plan;
}

TEST(Lesson04, compiles) { run_check(lessons::compiles); }
TEST(Lesson04, launches) { run_check(lessons::launches); }
TEST(Lesson04, one_tile) { run_check(lessons::one_tile); }
TEST(Lesson04, many_tiles) { run_check(lessons::many_tiles); }
TEST(Lesson04, ragged) { run_check(lessons::ragged); }
TEST(Lesson04, cross_attention) { run_check(lessons::cross_attention); }
TEST(Lesson04, batch_and_heads) { run_check(lessons::batch_and_heads); }
TEST(Lesson04, head_dims) { run_check(lessons::head_dims); }
TEST(Lesson04, hard_numbers) { run_check(lessons::hard_numbers); }
TEST(Lesson04, large_index) { run_check(lessons::large_tensors); }
TEST(Lesson04, contract) {
  run_check([](Check& check) { lessons::contract(check, kFeatures); });
}
TEST(Lesson04, memory) {
  run_check([](Check& check) { lessons::memory(check, Growth::kSubquadratic, kFeatures); });
}
TEST(Lesson04, repeatable) {
  run_check([](Check& check) { lessons::repeatable(check); });
}
TEST(Lesson04, safety) {
  run_check([](Check& check) {
    lessons::safety(check, kFeatures);
    // A float4 that is taken apart at once becomes four loads on a CPU, and these work at any address: only the
    // checked build sees that it was not aligned.
    std::vector<judge::Case> shapes;
    for (const int tensor : {kQ, kK, kV, kO, kLSE})
      shapes.push_back(
          {.N_q = 20, .N_k = 40, .d = 8, .misaligned_floats = 2, .misaligned_mask = 1u << tensor});
    check.is_safe(shapes);
  });
}
TEST(Lesson04, rising) { run_check(lessons::rising); }
TEST(Lesson04, lse) {
  run_check([](Check& check) { lessons::lse(check, kFeatures); });
}
TEST(Lesson04, scalar_path) { run_check(lessons::scalar_path); }
TEST(Lesson04, traffic) { run_check(lessons::traffic); }
TEST(Lesson04, access_width) { run_check(lessons::access_width); }

}  // namespace

int main(int argc, char** argv) { return judge::lesson_main(argc, argv, lesson()); }
