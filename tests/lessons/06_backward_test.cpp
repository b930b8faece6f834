// What is checked in lesson 06, in order. Every check says which of dV, dK and dQ it is about; the stages of the exercise,
// D, then dP and dS, are looked at through attention_backward_stages.
#include <gtest/gtest.h>

#include "forward_checks.h"
#include "judge/lesson_main.h"

namespace {

using judge::Case;
using judge::Check;
using judge::Family;
using judge::Growth;
using judge::kInvalidValue;
using judge::kNotSupported;
using judge::run_check;
using judge::Upstream;
using judge::with_scale;
using namespace protocol;

constexpr char kText[] = "lessons/06_backward/README.md";

std::string section(const char* title) { return std::string(kText) + ", \"" + title + "\""; }

const judge::Lesson& lesson() {
  static const judge::Lesson plan = {
      "06_backward",
      {
          {"compiles", {}, section("Your turn")},
          {"launches", {"compiles"}, section("From algorithm to threads")},
          {"delta", {"launches"}, section("The idea")},
          {"dv", {"launches"}, section("The algorithm")},
          {"dp_ds", {"launches"}, section("The idea")},
          {"dk", {"launches"}, section("The algorithm")},
          {"dq", {"launches"}, section("The algorithm")},
          {"cross_attention", {"dv", "dk", "dq"}, section("The algorithm")},
          {"batch_and_heads", {"dv", "dk", "dq"}, section("From algorithm to threads")},
          {"head_dims", {"dv", "dk", "dq"}, section("From algorithm to threads")},
          {"hard_numbers", {"dv", "dk", "dq"}, section("The idea")},
          {"causal", {"dv", "dk", "dq"}, section("The algorithm")},
          {"rows_without_keys", {"causal"}, section("The algorithm")},
          {"large_index", {"batch_and_heads"}, section("From algorithm to threads")},
          {"contract", {"launches"}, "kernels/attention.h"},
          {"memory", {"dv", "dk", "dq"}, section("What hurts")},
          {"repeatable", {"dv", "dk", "dq"}, section("From algorithm to threads")},
          {"safety", {"launches"}, section("From algorithm to threads")},
      },
      {
          {"delta-missing", "06.3"},     {"delta-added", "06.3"},     {"delta-of-o", "06.1"},
          {"delta-of-do", "06.1"},       {"delta-head-zero", "06.1"}, {"lse-head-zero", "06.2"},
          {"lse-missing", "06.2"},       {"lse-base-two", "06.2"},    {"scale-missing", "06.2"},
          {"scale-twice", "06.2"},       {"scale-ignored", "06.2"},   {"mask-missing", "06.2"},
          {"mask-top-left", "06.2"},     {"mask-strict", "06.2"},     {"mask-one-more", "06.2"},
          {"mask-offset-sign", "06.2"},  {"mask-upper", "06.2"},      {"dv-from-ds", "06.2"},
          {"dv-from-dp", "06.2"},        {"dv-with-o", "06.2"},       {"p-missing", "06.3"},
          {"jacobian-diagonal", "06.3"}, {"dp-scaled", "06.3"},       {"dq-scale-missing", "06.4"},
          {"dk-scale-missing", "06.4"},  {"dq-scale-twice", "06.4"},  {"dk-scale-twice", "06.4"},
          {"dq-with-q", "06.4"},         {"dk-with-k", "06.4"},       {"dq-dk-swapped", "06.4"},
      },
      true,
      {},
      Operation::kBackward};
  return plan;
}

// In and between the usual tiles of queries and keys; as many queries as keys, more and fewer.
const std::vector<Case>& basic_shapes() {
  static const std::vector<Case> shapes = {
      {.N_q = 4, .N_k = 4, .d = 2},
      {.N_q = 32, .N_k = 32},
      {.N_q = 64, .N_k = 64, .d = 32},
      {.N_q = 256, .N_k = 256, .d = 16},
      {.N_q = 33, .N_k = 50, .d = 16},
      {.N_q = 100, .N_k = 70, .d = 40},
      {.N_q = 65, .N_k = 65, .d = 16},
      {.N_q = 257, .N_k = 129, .d = 8},
      {.N_q = 128, .N_k = 300, .d = 4},
      {.batch = 2, .heads = 3, .N_q = 33, .N_k = 20, .d = 8},
      {.N_q = 1, .N_k = 1},  // dS, dQ and dK are 0, whatever is missing
  };
  return shapes;
}

void every_basic_shape(Check& check, int tensor) {
  for (const Case& shape : basic_shapes()) check.gradients(shape, {tensor});
  check.gradients({.N_q = 130, .N_k = 60, .d = 8, .upstream = Upstream::kRowTag}, {tensor});
}

TEST(Lesson06, compiles) {
  run_check([](Check& check) { check.compiles(); });
}

// Kernels are launched, and neither the launcher nor the device reports an error.
TEST(Lesson06, launches) {
  run_check([](Check& check) {
    check.runs({.N_q = 32, .N_k = 32});
    check.runs({.N_q = 64, .N_k = 48, .d = 32});
  });
}

// Stage 1: D, and dV.
TEST(Lesson06, delta) {
  run_check([](Check& check) {
    for (const Case& shape : basic_shapes()) check.stage(shape, {kDelta});
    check.stage({.N_q = 40, .N_k = 30, .d = 37, .upstream = Upstream::kRising}, {kDelta});
    check.stage({.N_q = 40, .N_k = 30, .d = 128, .inputs = Family::kCancel}, {kDelta});
  });
}
TEST(Lesson06, dv) {
  run_check([](Check& check) { every_basic_shape(check, kGradV); });
}

// Stage 2: dP and dS.
TEST(Lesson06, dp_ds) {
  run_check([](Check& check) {
    for (const Case& shape : basic_shapes()) check.stage(shape, {kGradP, kGradS});
    check.stage({.N_q = 60, .N_k = 40, .d = 16, .upstream = Upstream::kRising}, {kGradP, kGradS});
    check.stage({.N_q = 60, .N_k = 40, .d = 16, .inputs = Family::kRising}, {kGradP, kGradS});
  });
}

// Stage 3: dK and dQ.
TEST(Lesson06, dk) {
  run_check([](Check& check) { every_basic_shape(check, kGradK); });
}
TEST(Lesson06, dq) {
  run_check([](Check& check) { every_basic_shape(check, kGradQ); });
}

// From here on all three gradients have to be right.

TEST(Lesson06, cross_attention) {
  run_check([](Check& check) {
    check.values({.N_q = 65, .N_k = 130, .d = 32});
    check.values({.N_q = 130, .N_k = 65, .d = 32});
    check.values({.N_q = 17, .N_k = 200});
    check.values({.N_q = 1, .N_k = 129});
    check.values({.N_q = 129, .N_k = 1});
    check.values({.N_q = 2, .N_k = 1500, .d = 8});
    check.values({.N_q = 1500, .N_k = 2, .d = 8});
    // Longer than what fits into shared memory: LSE and D of a head, or a row of P.
    check.values({.N_q = 20'000, .N_k = 2, .d = 1});
    check.values({.N_q = 2, .N_k = 20'000, .d = 1});
  });
}

// Every head of every batch has data, an LSE and a D of its own.
TEST(Lesson06, batch_and_heads) {
  run_check([](Check& check) {
    check.values({.batch = 2, .heads = 3, .N_q = 33, .N_k = 33});
    check.values({.batch = 2, .heads = 3, .N_q = 20, .N_k = 50, .d = 16});
    check.values({.batch = 1, .heads = 5, .N_q = 64, .N_k = 64, .d = 32});
    check.values({.batch = 4, .heads = 1, .N_q = 17, .N_k = 31, .d = 24});
    check.values({.batch = 3, .heads = 2, .N_q = 40, .N_k = 24, .d = 8, .inputs = Family::kOneHot});
  });
}

TEST(Lesson06, head_dims) {
  run_check([](Check& check) {
    for (const int d : {1, 2, 3, 6, 31, 37, 40, 59, 64, 65, 96, 111, 127, 128})
      check.values({.heads = 2, .N_q = 36, .N_k = 50, .d = d});
    for (const int tensor : {kQ, kK, kV, kO, kLSE, kGradO, kGradQ, kGradK, kGradV})
      check.values(
          {.heads = 2,
           .N_q = 36,
           .N_k = 44,
           .d = 32,
           .misaligned_floats = 1 + tensor % 3,
           .misaligned_mask = 1u << tensor});
  });
}

// Scores and dO of every size and sign, any softmax_scale.
TEST(Lesson06, hard_numbers) {
  run_check([](Check& check) {
    for (const Family family : judge::kAllFamilies) {
      check.values({.N_q = 80, .N_k = 130, .d = 16, .inputs = family});
      check.values({.batch = 2, .heads = 2, .N_q = 48, .N_k = 40, .d = 6, .inputs = family});
    }
    for (const Upstream upstream : judge::kAllUpstreams) {
      check.values({.heads = 2, .N_q = 70, .N_k = 50, .d = 16, .upstream = upstream});
      check.values({.N_q = 50, .N_k = 70, .d = 8, .inputs = Family::kRising, .upstream = upstream});
    }
    const Case usual = {.heads = 2, .N_q = 40, .N_k = 56, .d = 24};
    for (const double scale : {0.3, 0.0, -0.25}) check.values(with_scale(usual, scale));
    check.values(with_scale({.N_q = 40, .N_k = 56, .d = 24, .inputs = Family::kLogit1e4}, -0.2));
  });
}

// Causal, and every query sees at least one key.
TEST(Lesson06, causal) {
  run_check([](Check& check) {
    for (const int N : {16, 1, 33, 50, 64, 96, 128, 130, 200})
      check.values({.N_q = N, .N_k = N, .d = 16, .causal = true});
    check.values({.N_q = 40, .N_k = 72, .d = 24, .causal = true});
    check.values({.N_q = 1, .N_k = 129, .causal = true});
    check.values({.N_q = 17, .N_k = 200, .d = 32, .causal = true});
    check.values({.N_q = 64, .N_k = 128, .d = 8, .causal = true});
    check.values({.N_q = 130, .N_k = 131, .d = 8, .causal = true});
    check.values({.N_q = 70, .N_k = 97, .d = 111, .causal = true});
    check.values({.heads = 2, .N_q = 97, .N_k = 130, .d = 128, .causal = true});
    for (const double scale : {0.3, 0.0, -0.25})
      check.values(with_scale({.heads = 2, .N_q = 40, .N_k = 56, .d = 24, .causal = true}, scale));
    check.values({.batch = 2, .heads = 3, .N_q = 33, .N_k = 50, .d = 37, .causal = true});
    for (const Family family : judge::kAllFamilies)
      check.values({.N_q = 70, .N_k = 97, .d = 6, .causal = true, .inputs = family});
    for (const Upstream upstream : judge::kAllUpstreams)
      check.values({.N_q = 50, .N_k = 50, .d = 8, .causal = true, .upstream = upstream});
    check.also_needs("dp_ds");
    check.stage({.heads = 2, .N_q = 40, .N_k = 72, .d = 8, .causal = true}, {kGradP, kGradS});
  });
}

// More queries than keys: LSE is -inf for the first ones, and they add nothing to any gradient.
TEST(Lesson06, rows_without_keys) {
  run_check([](Check& check) {
    check.values({.N_q = 20, .N_k = 12, .d = 16, .causal = true});
    check.values({.N_q = 97, .N_k = 33, .d = 24, .causal = true});
    check.values({.heads = 2, .N_q = 128, .N_k = 64, .d = 8, .causal = true});
    check.values({.N_q = 200, .N_k = 65, .d = 37, .causal = true});
    check.values({.N_q = 129, .N_k = 1, .d = 4, .causal = true});
    for (const double scale : {0.0, -0.25})
      check.values(with_scale({.N_q = 97, .N_k = 33, .d = 12, .causal = true}, scale));
    for (const Family family : judge::kAllFamilies)
      check.values({.N_q = 20, .N_k = 12, .d = 16, .causal = true, .inputs = family});
  });
}

// Element numbers beyond 2^31 in the tensors with queries, and in those with keys.
TEST(Lesson06, large_index) {
  run_check([](Check& check) {
    for (const int d : {127, 128}) {
      check.last_head({.N_q = 4, .N_k = 2, .d = d}, 4'300'000);
      check.last_head({.N_q = 2, .N_k = 4, .d = d}, 4'300'000);
    }
    check.last_head({.N_q = 1, .N_k = 4, .d = 128}, 8'500'000);  // beyond 2^32
  });
}

TEST(Lesson06, contract) {
  run_check([](Check& check) {
    const Case usual = {.heads = 2, .N_q = 20, .N_k = 24, .d = 16};
    for (const int tensor : {kQ, kK, kV, kO, kLSE, kGradO, kGradQ, kGradK, kGradV})
      check.refuses(
          usual, std::string(tensor_name(tensor)) + " = nullptr", {kInvalidValue},
          {.null_mask = 1u << tensor});
    const auto refused = [&](const char* what, const std::vector<int>& errors, auto change) {
      Case c = usual;
      change(c);
      check.refuses(c, what, errors);
    };
    refused("batch = 0", {kInvalidValue}, [](Case& c) { c.batch = 0; });
    refused("num_heads = 0", {kInvalidValue}, [](Case& c) { c.heads = 0, c.heads_kv = 1; });
    refused("num_heads_kv = -2", {kInvalidValue}, [](Case& c) { c.heads_kv = -2; });
    refused("seq_len_q = -1", {kInvalidValue}, [](Case& c) { c.N_q = -1; });
    refused("seq_len_k = -1", {kInvalidValue}, [](Case& c) { c.N_k = -1; });
    refused("head_dim = 0", {kInvalidValue}, [](Case& c) { c.d = 0; });
    refused("head_dim = 129", {kInvalidValue}, [](Case& c) { c.d = 129; });
    refused("num_heads = 3, num_heads_kv = 2", {kInvalidValue, kNotSupported}, [](Case& c) {
      c.heads = 3, c.heads_kv = 2;
    });
    check.refuses_or_values(
        {.heads = 4, .heads_kv = 2, .N_q = 20, .N_k = 24, .d = 16},
        "num_heads = 4, num_heads_kv = 2", kNotSupported);

    for (const char* other : {"dv", "dk", "dq"}) check.also_needs(other);
    check.good_manners(usual);
    check.good_manners({.batch = 2, .N_q = 40, .N_k = 40, .d = 32});

    // Tensors without elements, whose pointers may be null. What has elements is 0.
    constexpr unsigned kOfQueries = 1u << kQ | 1u << kO | 1u << kLSE | 1u << kGradO | 1u << kGradQ;
    constexpr unsigned kOfKeys = 1u << kK | 1u << kV | 1u << kGradK | 1u << kGradV;
    for (const bool causal : {false, true}) {
      if (causal) check.also_needs("causal");
      check.values({.heads = 2, .N_q = 0, .N_k = 24, .d = 16, .causal = causal});
      check.values({.heads = 2, .N_q = 20, .N_k = 0, .d = 16, .causal = causal});
      check.values({.N_q = 0, .N_k = 0, .d = 16, .causal = causal});
    }
    check.values({.N_q = 0, .N_k = 24, .d = 16}, {.null_mask = kOfQueries});
    check.values({.N_q = 20, .N_k = 0, .d = 16}, {.null_mask = kOfKeys});

    // More heads than gridDim.y and gridDim.z can count.
    check.values({.batch = 7, .heads = 10'000, .N_q = 1, .N_k = 1, .d = 4});
  });
}

// Nothing of size N^2 is stored, and nothing is kept: neither by the backward pass nor for it.
TEST(Lesson06, memory) {
  run_check([](Check& check) {
    check.memory_grows_at_most({.heads = 2, .d = 64}, Growth::kSubquadratic);
    check.memory_grows_at_most({.heads = 2, .d = 37, .causal = true}, Growth::kSubquadratic);
    check.holds_no_memory({.heads = 2, .N_q = 256, .N_k = 256, .d = 16});
    check.holds_no_memory({.heads = 2, .N_q = 300, .N_k = 200, .d = 16});
    check.forward_holds_no_memory({.heads = 2, .N_q = 100, .N_k = 100, .d = 16});
  });
}

TEST(Lesson06, repeatable) {
  run_check([](Check& check) {
    check.also_needs("causal");
    check.repeats(
        {{.batch = 2, .heads = 2, .N_q = 100, .N_k = 100, .d = 32},
         {.N_q = 256, .N_k = 130, .d = 16},
         {.N_q = 130, .N_k = 200, .d = 24, .causal = true}});
  });
}

// Every access is inside its memory, reads a value, and races with no other: also where the result happened to be right.
TEST(Lesson06, safety) {
  run_check([](Check& check) {
    std::vector<Case> shapes = lessons::safety_shapes(check);
    for (const int tensor : {kQ, kK, kV, kO, kLSE, kGradO, kGradQ, kGradK, kGradV})
      shapes.push_back(
          {.N_q = 20, .N_k = 40, .d = 8, .misaligned_floats = 2, .misaligned_mask = 1u << tensor});
    if (!check.did_not_pass("causal")) {
      std::vector<Case> masked = shapes;
      for (Case& c : masked) c.causal = true;
      shapes.insert(shapes.end(), masked.begin(), masked.end());
    }
    check.is_safe(shapes);
    check.also_needs("causal");
  });
}

}  // namespace

int main(int argc, char** argv) { return judge::lesson_main(argc, argv, lesson()); }
