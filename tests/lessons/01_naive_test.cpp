// What is checked in lesson 01, in order.
//
// N_q, N_k and d are chosen so that every check catches something that the ones before it let through; a case that
// does not say otherwise has batch = 1, heads = 1, d = 64, softmax_scale = 1 / sqrt(d) and normally distributed inputs.
#include <gtest/gtest.h>

#include "judge/lesson_main.h"

namespace {

using judge::Case;
using judge::Check;
using judge::Family;
using judge::Growth;
using judge::kInvalidValue;
using judge::kNotSupported;
using judge::run_check;
using judge::with_scale;

constexpr char kText[] = "lessons/01_naive/README.md";

std::string section(const char* title) { return std::string(kText) + ", \"" + title + "\""; }

const judge::Lesson& lesson() {
  static const judge::Lesson plan = {
      "01_naive",
      {
          {"compiles", {}, section("Your turn")},
          {"launches", {"compiles"}, section("From algorithm to threads")},
          {"one_tile", {"launches"}, section("The algorithm")},
          {"many_tiles", {"one_tile"}, section("From algorithm to threads")},
          {"ragged", {"one_tile"}, section("From algorithm to threads")},
          {"cross_attention", {"one_tile"}, section("The algorithm")},
          {"batch_and_heads", {"one_tile"}, section("From algorithm to threads")},
          {"head_dims", {"one_tile"}, section("The algorithm")},
          {"hard_numbers", {"one_tile"}, section("The idea")},
          {"large_index", {"many_tiles"}, section("From algorithm to threads")},
          {"contract", {"launches"}, "kernels/attention.h"},
          {"memory", {"one_tile"}, section("What still hurts")},
          {"repeatable", {"many_tiles", "ragged"}, section("From algorithm to threads")},
          {"safety", {"one_tile"}, section("From algorithm to threads")},
      },
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

// The file compiles, and the library that comes out exports attention_forward.
TEST(Lesson01, compiles) {
  run_check([](Check& check) { check.compiles(); });
}

// A kernel is launched, and neither the launcher nor the device reports an error.
TEST(Lesson01, launches) {
  run_check([](Check& check) {
    check.runs({.N_q = 32, .N_k = 32});
    check.runs({.N_q = 64, .N_k = 64, .d = 32});
  });
}

// One head with no more rows than one small block has threads.
TEST(Lesson01, one_tile) {
  run_check([](Check& check) {
    check.values({.N_q = 16, .N_k = 16, .d = 32});
    check.values({.N_q = 32, .N_k = 32});
    check.values({.N_q = 1, .N_k = 1});
    check.values({.N_q = 4, .N_k = 4, .d = 2});
    check.values({.N_q = 32, .N_k = 32, .inputs = Family::kRowTag});
  });
}

// Several blocks, all of them full.
TEST(Lesson01, many_tiles) {
  run_check([](Check& check) {
    check.values({.N_q = 64, .N_k = 64});
    check.values({.N_q = 128, .N_k = 128, .d = 32});
    check.values({.N_q = 256, .N_k = 256});
    check.values({.N_q = 1024, .N_k = 1024, .d = 8});
    check.values({.N_q = 256, .N_k = 256, .d = 16, .inputs = Family::kRowTag});
  });
}

// Lengths that no block divides.
TEST(Lesson01, ragged) {
  run_check([](Check& check) {
    check.values({.N_q = 33, .N_k = 33});
    check.values({.N_q = 100, .N_k = 100, .d = 40});
    check.values({.N_q = 31, .N_k = 31, .d = 32});
    check.values({.N_q = 65, .N_k = 65, .d = 16});
    check.values({.N_q = 127, .N_k = 127, .d = 32, .inputs = Family::kRowTag});
    check.values({.N_q = 257, .N_k = 257, .d = 16});
    check.values({.N_q = 1025, .N_k = 1025, .d = 4});
  });
}

// More keys than queries, and fewer.
TEST(Lesson01, cross_attention) {
  run_check([](Check& check) {
    check.values({.N_q = 65, .N_k = 130, .d = 32});
    check.values({.N_q = 130, .N_k = 65, .d = 32});
    check.values({.N_q = 2, .N_k = 4, .d = 2});
    check.values({.N_q = 17, .N_k = 200});
    check.values({.N_q = 1, .N_k = 129});
    check.values({.N_q = 129, .N_k = 1});
    check.values({.N_q = 5, .N_k = 3, .d = 16});
    check.values({.N_q = 3, .N_k = 4096, .d = 16});
    check.values({.N_q = 33, .N_k = 97, .d = 24, .inputs = Family::kRowTag});
  });
}

// Every head of every batch has data of its own.
TEST(Lesson01, batch_and_heads) {
  run_check([](Check& check) {
    check.values({.batch = 2, .heads = 3, .N_q = 33, .N_k = 33});
    check.values({.batch = 2, .heads = 3, .N_q = 20, .N_k = 50, .d = 16});
    check.values({.batch = 1, .heads = 5, .N_q = 64, .N_k = 64, .d = 32});
    check.values({.batch = 4, .heads = 1, .N_q = 17, .N_k = 31, .d = 24});
    check.values({.batch = 3, .heads = 2, .N_q = 40, .N_k = 24, .d = 8, .inputs = Family::kOneHot});
  });
}

// Any head_dim from 1 to 128.
TEST(Lesson01, head_dims) {
  run_check([](Check& check) {
    for (const int d : {1, 2, 3, 6, 31, 37, 40, 59, 64, 65, 111, 127, 128})
      check.values({.batch = 1, .heads = 2, .N_q = 40, .N_k = 50, .d = d});
  });
}

// Scores of every size and sign, any softmax_scale, pointers that are only 4-byte aligned.
TEST(Lesson01, hard_numbers) {
  run_check([](Check& check) {
    for (const Family family : judge::kAllFamilies) {
      check.values({.N_q = 130, .N_k = 130, .d = 16, .inputs = family});
      check.values({.batch = 2, .heads = 2, .N_q = 48, .N_k = 48, .d = 6, .inputs = family});
      check.values({.N_q = 33, .N_k = 97, .d = 64, .inputs = family});
    }
    const Case usual = {.heads = 2, .N_q = 40, .N_k = 56, .d = 24};
    check.values(with_scale(usual, 0.3));
    check.values(with_scale(usual, 0));
    check.values(with_scale(usual, -0.25));
    check.values(with_scale({.N_q = 40, .N_k = 56, .d = 24, .inputs = Family::kLogit1e4}, -0.2));
    for (const int floats : {1, 2, 3})
      check.values({.heads = 2, .N_q = 36, .N_k = 44, .d = 32, .misaligned_floats = floats});
  });
}

// Element numbers beyond 2^31 in a matrix of scores.
TEST(Lesson01, large_index) {
  run_check([](Check& check) {
    check.last_rows({.heads = 520, .N_q = 2048, .N_k = 2048, .d = 1});
    check.last_rows({.batch = 2, .heads = 261, .N_q = 2048, .N_k = 2048, .d = 2});
  });
}

// What kernels/attention.h promises, beyond the values.
TEST(Lesson01, contract) {
  run_check([](Check& check) {
    using protocol::kK, protocol::kO, protocol::kQ, protocol::kV;
    const auto null = [](protocol::Tensor tensor) { return judge::Ask{.null_mask = 1u << tensor}; };
    const Case usual = {.heads = 2, .N_q = 20, .N_k = 24, .d = 16};

    check.refuses(usual, "Q = nullptr", {kInvalidValue}, null(kQ));
    check.refuses(usual, "K = nullptr", {kInvalidValue}, null(kK));
    check.refuses(usual, "V = nullptr", {kInvalidValue}, null(kV));
    check.refuses(usual, "O = nullptr", {kInvalidValue}, null(kO));

    const auto changed = [&](auto change) {
      Case c = usual;
      change(c);
      return c;
    };
    check.refuses(changed([](Case& c) { c.batch = 0; }), "batch = 0", {kInvalidValue});
    check.refuses(changed([](Case& c) { c.batch = -1; }), "batch = -1", {kInvalidValue});
    check.refuses(
        changed([](Case& c) { c.heads = 0, c.heads_kv = 1; }), "num_heads = 0", {kInvalidValue});
    check.refuses(changed([](Case& c) { c.heads_kv = -2; }), "num_heads_kv = -2", {kInvalidValue});
    check.refuses(changed([](Case& c) { c.N_q = -1; }), "seq_len_q = -1", {kInvalidValue});
    check.refuses(changed([](Case& c) { c.N_k = -1; }), "seq_len_k = -1", {kInvalidValue});
    check.refuses(changed([](Case& c) { c.d = 0; }), "head_dim = 0", {kInvalidValue});
    check.refuses(changed([](Case& c) { c.d = -16; }), "head_dim = -16", {kInvalidValue});
    check.refuses(changed([](Case& c) { c.d = 129; }), "head_dim = 129", {kInvalidValue});
    check.refuses(
        changed([](Case& c) { c.heads = 3, c.heads_kv = 2; }), "num_heads = 3, num_heads_kv = 2",
        {kInvalidValue, kNotSupported});

    // Features of later lessons. Whoever has them already may keep them.
    check.refuses_or_values(
        {.N_q = 20, .N_k = 24, .d = 16, .causal = true}, "causal = true", kNotSupported);
    check.refuses_or_values(
        {.heads = 4, .heads_kv = 2, .N_q = 20, .N_k = 24, .d = 16},
        "num_heads = 4, num_heads_kv = 2", kNotSupported);

    check.also_needs("one_tile");
    check.good_manners(usual);
    check.good_manners({.batch = 2, .N_q = 40, .N_k = 40, .d = 32});

    // Tensors without elements, whose pointers may be null.
    check.values({.heads = 2, .N_q = 0, .N_k = 24, .d = 16});
    check.values({.heads = 2, .N_q = 20, .N_k = 0, .d = 16});
    check.values({.N_q = 0, .N_k = 0, .d = 16});
    check.values({.N_q = 0, .N_k = 24, .d = 16}, {.null_mask = 1u << kQ | 1u << kO});
    check.values({.N_q = 20, .N_k = 0, .d = 16}, {.null_mask = 1u << kK | 1u << kV});

    // More heads than gridDim.y and gridDim.z can count.
    check.values({.batch = 7, .heads = 10'000, .N_q = 1, .N_k = 1, .d = 4});
  });
}

// Scratch memory is given back and grows no faster than N^2. How much it is, the report shows.
TEST(Lesson01, memory) {
  run_check([](Check& check) {
    const Case two_heads = {.heads = 2, .d = 64};
    if (check.measure_memory(two_heads).growth == Growth::kBeyond)
      check.fail(two_heads, "memory", check.notes());
    check.holds_no_memory({.heads = 2, .N_q = 256, .N_k = 256});
    check.holds_no_memory({.heads = 2, .N_q = 300, .N_k = 200});
  });
}

// The same answers whatever the order in which blocks and warps run.
TEST(Lesson01, repeatable) {
  run_check([](Check& check) {
    check.repeats({
        {.batch = 2, .heads = 2, .N_q = 100, .N_k = 100, .d = 32},
        {.N_q = 256, .N_k = 130, .d = 40},
    });
  });
}

// Every access is inside its memory, reads a value, and races with no other: also where the result happened to be right.
TEST(Lesson01, safety) {
  run_check([](Check& check) {
    check.is_safe({
        {.N_q = 33, .N_k = 33, .d = 16},
        {.batch = 2, .heads = 2, .N_q = 70, .N_k = 40, .d = 8},
        {.heads = 3, .N_q = 130, .N_k = 20, .d = 5},
        {.N_q = 20, .N_k = 70, .d = 3, .misaligned_floats = 1},
    });
  });
}

}  // namespace

int main(int argc, char** argv) { return judge::lesson_main(argc, argv, lesson()); }
