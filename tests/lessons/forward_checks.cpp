#include "forward_checks.h"

#include <algorithm>

#include "runner/protocol.h"

namespace lessons {

using judge::Case;
using judge::Check;
using judge::Family;
using judge::Growth;
using judge::kInvalidValue;
using judge::kNotSupported;
using judge::with_scale;

namespace {

// Where grouped heads are not right yet, the other checks go on without them.
bool with_grouped_heads(const Check& check, const Features& features) {
  return features.grouped_heads && !check.did_not_pass("grouped_heads");
}

}  // namespace

std::vector<judge::CheckPlan> plan_with(
    const std::string& text, const char* memory_section, const std::vector<judge::CheckPlan>& own) {
  const auto section = [&](const char* title) { return text + ", \"" + title + "\""; };
  std::vector<judge::CheckPlan> plan = {
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
      {"memory", {"one_tile"}, section(memory_section)},
      {"repeatable", {"many_tiles", "ragged"}, section("From algorithm to threads")},
      {"safety", {"one_tile"}, section("From algorithm to threads")},
  };
  plan.insert(plan.end(), own.begin(), own.end());
  return plan;
}

std::vector<judge::Mistake> joined(const std::vector<std::vector<judge::Mistake>>& lists) {
  std::vector<judge::Mistake> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

void compiles(Check& check) { check.compiles(); }

void launches(Check& check) {
  check.runs({.N_q = 32, .N_k = 32});
  check.runs({.N_q = 64, .N_k = 64, .d = 32});
}

void one_tile(Check& check) {
  check.values({.N_q = 16, .N_k = 16, .d = 32});
  check.values({.N_q = 32, .N_k = 32});
  check.values({.N_q = 1, .N_k = 1});
  check.values({.N_q = 4, .N_k = 4, .d = 2});
  check.values({.N_q = 32, .N_k = 32, .inputs = Family::kRowTag});
}

void many_tiles(Check& check) {
  check.values({.N_q = 64, .N_k = 64});
  check.values({.N_q = 128, .N_k = 128, .d = 32});
  check.values({.N_q = 256, .N_k = 256});
  check.values({.N_q = 1024, .N_k = 1024, .d = 8});
  check.values({.N_q = 256, .N_k = 256, .d = 16, .inputs = Family::kRowTag});
}

void ragged(Check& check) {
  check.values({.N_q = 33, .N_k = 33});
  check.values({.N_q = 100, .N_k = 100, .d = 40});
  check.values({.N_q = 31, .N_k = 31, .d = 32});
  check.values({.N_q = 65, .N_k = 65, .d = 16});
  check.values({.N_q = 127, .N_k = 127, .d = 32, .inputs = Family::kRowTag});
  check.values({.N_q = 257, .N_k = 257, .d = 16});
  check.values({.N_q = 1025, .N_k = 1025, .d = 4});
}

void cross_attention(Check& check) {
  check.values({.N_q = 65, .N_k = 130, .d = 32});
  check.values({.N_q = 130, .N_k = 65, .d = 32});
  check.values({.N_q = 2, .N_k = 4, .d = 2});
  check.values({.N_q = 17, .N_k = 200});
  check.values({.N_q = 1, .N_k = 129});
  check.values({.N_q = 129, .N_k = 1});
  check.values({.N_q = 5, .N_k = 3, .d = 16});
  check.values({.N_q = 3, .N_k = 4096, .d = 16});
  check.values({.N_q = 33, .N_k = 97, .d = 24, .inputs = Family::kRowTag});
}

void batch_and_heads(Check& check) {
  check.values({.batch = 2, .heads = 3, .N_q = 33, .N_k = 33});
  check.values({.batch = 2, .heads = 3, .N_q = 20, .N_k = 50, .d = 16});
  check.values({.batch = 1, .heads = 5, .N_q = 64, .N_k = 64, .d = 32});
  check.values({.batch = 4, .heads = 1, .N_q = 17, .N_k = 31, .d = 24});
  check.values({.batch = 3, .heads = 2, .N_q = 40, .N_k = 24, .d = 8, .inputs = Family::kOneHot});
}

void head_dims(Check& check) {
  for (const int d : {1, 2, 3, 6, 31, 32, 37, 40, 59, 64, 65, 96, 111, 127, 128})
    check.values({.batch = 1, .heads = 2, .N_q = 40, .N_k = 50, .d = d});
}

void hard_numbers(Check& check) {
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
}

void large_scores(Check& check) {
  check.last_rows({.heads = 520, .N_q = 2048, .N_k = 2048, .d = 1});
  check.last_rows({.batch = 2, .heads = 261, .N_q = 2048, .N_k = 2048, .d = 2});
}

void large_tensors(Check& check) {
  for (const int d : {127, 128}) {
    check.last_head({.N_q = 16, .N_k = 4, .d = d}, 1'060'000);
    check.last_head({.N_q = 1, .N_k = 16, .d = d}, 1'060'000);
  }
}

void contract(Check& check, const Features& features) {
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
  if (!features.causal)
    check.refuses_or_values(
        {.N_q = 20, .N_k = 24, .d = 16, .causal = true}, "causal = true", kNotSupported);
  if (!features.grouped_heads)
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

  // Nobody has to want LSE.
  if (features.lse) {
    check.values_without_lse({.heads = 2, .N_q = 70, .N_k = 40, .d = 8});
    check.values_without_lse({.N_q = 33, .N_k = 65, .d = 37});
    check.values_without_lse({.N_q = 20, .N_k = 0, .d = 16});
  }

  // More heads than gridDim.y and gridDim.z can count.
  check.values_of_last_blocks({.batch = 7, .heads = 10'000, .N_q = 1, .N_k = 1, .d = 4});

  if (!features.causal) return;
  check.also_needs("causal");
  check.values({.N_q = 20, .N_k = 0, .d = 16, .causal = true});
  check.values({.N_q = 0, .N_k = 24, .d = 16, .causal = true});
  check.values_without_lse({.N_q = 30, .N_k = 40, .d = 8, .causal = true});
}

void memory(Check& check, Growth most, const Features& features) {
  check.memory_grows_at_most({.heads = 2, .d = 64}, most);
  check.holds_no_memory({.heads = 2, .N_q = 256, .N_k = 256});
  check.holds_no_memory({.heads = 2, .N_q = 300, .N_k = 200});
  if (!features.causal) return;
  check.also_needs("causal");
  check.memory_grows_at_most({.heads = 2, .d = 37, .causal = true}, most);
}

void repeatable(Check& check, const Features& features) {
  std::vector<Case> shapes = {
      {.batch = 2, .heads = 2, .N_q = 100, .N_k = 100, .d = 32},
      {.N_q = 256, .N_k = 130, .d = 40},
  };
  if (features.causal) {
    check.also_needs("causal");
    shapes.push_back({.N_q = 130, .N_k = 200, .d = 24, .causal = true});
  }
  if (with_grouped_heads(check, features))
    shapes.push_back({.batch = 2, .heads = 4, .heads_kv = 2, .N_q = 70, .N_k = 50, .d = 16});
  check.repeats(shapes);
}

std::vector<Case> safety_shapes(const Check& check) {
  // More tiles than there is room for blocks: on the CPU device's profile, and on any GPU of today.
  const int many = check.on_cpu() ? 300 : 5000;
  return {
      {.N_q = 33, .N_k = 33, .d = 16},
      {.batch = 2, .heads = 2, .N_q = 70, .N_k = 40, .d = 8},
      {.heads = 3, .N_q = 130, .N_k = 20, .d = 5},
      {.N_q = 20, .N_k = 70, .d = 3, .misaligned_floats = 1},
      {.N_q = 70, .N_k = 200, .d = 4},
      {.N_q = 17, .N_k = 97, .d = 128},
      {.heads = many, .N_q = 2, .N_k = 3, .d = 2},
  };
}

void safety(Check& check, const Features& features) {
  std::vector<Case> shapes = safety_shapes(check);
  // A kernel for each range of head dimensions, with shared memory of its own.
  if (features.grouped_heads)
    for (const int d : {24, 64, 65, 96}) shapes.push_back({.N_q = 33, .N_k = 40, .d = d});
  const bool with_mask = features.causal && !check.did_not_pass("causal");
  if (with_mask) {
    // A mask lets threads of one block go different ways.
    std::vector<Case> masked = shapes;
    for (Case& c : masked) c.causal = true;
    if (features.grouped_heads && check.on_cpu())
      for (Case& c : masked) c.heads = std::min(c.heads, 100);  // tall tiles take long
    shapes.insert(shapes.end(), masked.begin(), masked.end());
  }
  if (with_mask && with_grouped_heads(check, features)) {
    shapes.push_back({.batch = 2, .heads = 6, .heads_kv = 2, .N_q = 33, .N_k = 50, .d = 16});
    shapes.push_back({.heads = 3, .heads_kv = 1, .N_q = 70, .N_k = 40, .d = 5, .causal = true});
  }
  check.is_safe(shapes);
  if (features.causal) check.also_needs("causal");
}

// 64.0 MB in lesson 01: 500 queries times 500 keys and values of 32 floats.
void traffic(Check& check) { check.shares_keys({.N_q = 500, .N_k = 500, .d = 32}, 3); }

void rising(Check& check) {
  for (const Family family : {Family::kRising, Family::kFalling}) {
    check.values({.N_q = 17, .N_k = 65, .inputs = family});
    check.values({.heads = 2, .N_q = 20, .N_k = 300, .d = 16, .inputs = family});
    check.values({.N_q = 70, .N_k = 1000, .d = 8, .inputs = family});
    check.values({.N_q = 64, .N_k = 256, .d = 32, .inputs = family});
    check.values({.N_q = 5, .N_k = 3000, .d = 4, .inputs = family});
  }
}

void lse(Check& check, const Features& features) {
  check.lse({.N_q = 32, .N_k = 32});
  check.lse({.N_q = 1, .N_k = 1});
  check.lse({.N_q = 33, .N_k = 33});
  check.lse({.N_q = 65, .N_k = 130, .d = 32});
  check.lse({.N_q = 129, .N_k = 1, .d = 16});
  check.lse({.N_q = 3, .N_k = 4096, .d = 16});
  check.lse({.batch = 2, .heads = 3, .N_q = 20, .N_k = 50, .d = 16});
  for (const Family family : judge::kAllFamilies) {
    check.lse({.N_q = 130, .N_k = 130, .d = 16, .inputs = family});
    check.lse({.heads = 2, .N_q = 33, .N_k = 97, .d = 6, .inputs = family});
  }
  const Case usual = {.heads = 2, .N_q = 40, .N_k = 56, .d = 24};
  check.lse(with_scale(usual, 0.3));
  check.lse(with_scale(usual, 0));
  check.lse(with_scale(usual, -0.25));
  for (const int floats : {1, 2, 3})
    check.lse({.heads = 2, .N_q = 36, .N_k = 44, .d = 32, .misaligned_floats = floats});
  for (const auto schedule : {protocol::Schedule::kReverse, protocol::Schedule::kRandom})
    check.lse({.batch = 2, .heads = 2, .N_q = 100, .N_k = 100, .d = 32}, {.schedule = schedule});
  check.lse({.heads = 2, .N_q = 20, .N_k = 0, .d = 16});  // -inf

  if (!features.causal) return;
  check.also_needs("causal");
  for (const Family family : judge::kAllFamilies) {
    check.lse({.N_q = 130, .N_k = 130, .d = 16, .causal = true, .inputs = family});
    check.lse({.heads = 2, .N_q = 33, .N_k = 97, .d = 6, .causal = true, .inputs = family});
  }
  check.also_needs("rows_without_keys");  // -inf there
  check.lse({.N_q = 97, .N_k = 33, .d = 16, .causal = true});
  check.lse({.heads = 2, .N_q = 20, .N_k = 12, .d = 37, .causal = true});

  if (!with_grouped_heads(check, features)) return;
  check.lse({.batch = 2, .heads = 6, .heads_kv = 2, .N_q = 33, .N_k = 65, .d = 16});
  check.lse({.heads = 4, .heads_kv = 1, .N_q = 40, .N_k = 70, .d = 37, .causal = true});
}

void scalar_path(Check& check) {
  using protocol::kK, protocol::kLSE, protocol::kO, protocol::kQ, protocol::kV;
  for (const int d : {1, 3, 6, 37, 40, 59, 64, 111, 128}) {
    check.values({.heads = 2, .N_q = 21, .N_k = 70, .d = d});
    for (const int tensor : {kQ, kK, kV, kO, kLSE})
      for (const int floats : {1, 2, 3})
        check.values(
            {.N_q = tensor == kLSE ? 20 : 21,  // whoever stores LSE as float4s does it here
             .N_k = 70,
             .d = d,
             .misaligned_floats = floats,
             .misaligned_mask = 1u << tensor});
  }
}

void access_width(Check& check) {
  check.moves_16_bytes({.N_q = 64, .N_k = 1024, .d = 64});
  check.moves_16_bytes({.heads = 2, .N_q = 64, .N_k = 700, .d = 36});
  check.moves_16_bytes({.N_q = 33, .N_k = 700, .d = 128});
  check.moves_16_bytes({.N_q = 64, .N_k = 700, .d = 4});
}

void causal(Check& check) {
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
  for (const int d : {1, 3, 6, 37, 40, 65, 96, 127, 128})
    check.values({.heads = 2, .N_q = 40, .N_k = 50, .d = d, .causal = true});
  // Blocks that go on to other tiles, with more or fewer keys.
  check.values({.heads = 110, .N_q = 513, .N_k = 513, .d = 4, .causal = true});
  for (const int floats : {1, 2, 3})
    check.values(
        {.heads = 2, .N_q = 40, .N_k = 50, .d = 32, .causal = true, .misaligned_floats = floats});
  check.values(with_scale({.N_q = 40, .N_k = 56, .d = 24, .causal = true}, -0.25));
  for (const Family family : judge::kAllFamilies) {
    check.values({.N_q = 130, .N_k = 130, .d = 16, .causal = true, .inputs = family});
    check.values({.heads = 2, .N_q = 33, .N_k = 97, .d = 6, .causal = true, .inputs = family});
  }
}

void rows_without_keys(Check& check) {
  check.values({.N_q = 20, .N_k = 12, .d = 16, .causal = true});
  check.values({.N_q = 97, .N_k = 33, .d = 24, .causal = true});
  check.values({.heads = 2, .N_q = 128, .N_k = 64, .d = 8, .causal = true});
  check.values({.N_q = 200, .N_k = 65, .d = 37, .causal = true});
  check.values({.N_q = 5, .N_k = 3, .d = 16, .causal = true});
  check.values({.N_q = 129, .N_k = 1, .d = 4, .causal = true});
  for (const Family family : judge::kAllFamilies)
    check.values({.N_q = 20, .N_k = 12, .d = 16, .causal = true, .inputs = family});
}

void prefix(Check& check) {
  for (const int i : {0, 15, 31, 32, 48})
    check.sees_no_future({.heads = 2, .N_q = 50, .N_k = 50, .d = 16, .causal = true}, i);
  for (const int i : {0, 10, 31})
    check.sees_no_future({.N_q = 33, .N_k = 97, .d = 8, .causal = true}, i);
  for (const int i : {0, 15, 16, 30})
    check.sees_no_future({.N_q = 40, .N_k = 24, .d = 6, .causal = true}, i);
  for (const int i : {63, 64, 100})
    check.sees_no_future({.N_q = 150, .N_k = 150, .d = 4, .causal = true}, i);
}

void skipped_tiles(Check& check) { check.skips_tiles({.d = 32}); }

void grouped_heads(Check& check) {
  check.values({.heads = 6, .heads_kv = 2, .N_q = 33, .N_k = 33});
  check.values({.heads = 8, .heads_kv = 4, .N_q = 20, .N_k = 50, .d = 32});
  check.values({.heads = 4, .heads_kv = 1, .N_q = 70, .N_k = 65, .d = 16});
  check.values({.batch = 2, .heads = 6, .heads_kv = 2, .N_q = 40, .N_k = 24, .d = 37});
  check.values({.batch = 3, .heads = 6, .heads_kv = 3, .N_q = 17, .N_k = 97, .d = 8});
  for (const Family family : judge::kAllFamilies)
    check.values(
        {.batch = 2, .heads = 6, .heads_kv = 2, .N_q = 33, .N_k = 65, .d = 16, .inputs = family});
  for (const int floats : {1, 2})
    check.values(
        {.heads = 6, .heads_kv = 2, .N_q = 36, .N_k = 44, .d = 32, .misaligned_floats = floats});
  check.values({.batch = 2, .heads = 96, .heads_kv = 12, .N_q = 2, .N_k = 3, .d = 4});

  check.also_needs("causal");
  check.values({.heads = 6, .heads_kv = 2, .N_q = 64, .N_k = 64, .d = 16, .causal = true});
  check.values(
      {.batch = 2, .heads = 6, .heads_kv = 2, .N_q = 40, .N_k = 70, .d = 24, .causal = true});
  check.values({.heads = 8, .heads_kv = 4, .N_q = 130, .N_k = 130, .d = 8, .causal = true});
  check.values({.heads = 3, .heads_kv = 1, .N_q = 40, .N_k = 70, .d = 37, .causal = true});
}

}  // namespace lessons
