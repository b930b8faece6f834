#include "judge/diagnosis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "judge/mistake_bank.h"
#include "judge/text.h"
#include "runner/protocol.h"
#include "simulated_attention.h"

namespace judge {
namespace {

constexpr std::uint32_t kFiller = protocol::filler_bits(protocol::kO);

std::vector<std::int64_t> all_rows(const Case& c) {
  std::vector<std::int64_t> rows(c.rows());
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

Diagnosis diagnosis_of(const Problem& problem, const std::vector<float>& O) {
  return diagnose(problem, O.data(), compare(problem, O.data(), kFiller), {naive_mistakes(), {}});
}

// A shape on which hardly any two mistakes coincide.
const Case kTelling = {
    .batch = 2, .heads = 3, .N_q = 21, .N_k = 37, .d = 11, .scale = 0.4, .custom_scale = true};

// Problems among which every mistake of the bank shows somewhere.
std::vector<Problem> telling_problems() {
  std::vector<Problem> problems;
  for (const Family family :
       {Family::kRandn, Family::kUniform, Family::kAllNeg200, Family::kNeg2e4, Family::kNeg6e4}) {
    Case c = kTelling;
    c.inputs = family;
    problems.push_back(draw(c, 21));
  }
  problems.push_back(draw({.N_q = 12, .N_k = 50, .d = 103}, 21));
  problems.push_back(draw({.heads = 2, .N_q = 20, .N_k = 12, .d = 8}, 21));
  problems.push_back(draw({.N_q = 12, .N_k = 50, .d = 8, .inputs = Family::kLogit1e4}, 21));
  problems.push_back(
      draw(with_scale({.N_q = 12, .N_k = 50, .d = 8, .inputs = Family::kLogit1e4}, -0.2), 21));
  return problems;
}

// What a lesson knows: its own mistakes and those of the lessons before it.
std::vector<Mistake> bank_with(const std::vector<std::vector<Mistake>>& lists) {
  std::vector<Mistake> bank;
  for (const auto& list : lists) bank.insert(bank.end(), list.begin(), list.end());
  return bank;
}

// Every mistake shows in one of the problems, is recognised in one, and none is taken for another.
void expect_recognised(
    const std::vector<Mistake>& mistakes, const std::vector<Mistake>& bank,
    const std::vector<Problem>& problems) {
  for (const Mistake& mistake : mistakes) {
    const std::string name = format(
        "%s, tiles of %d queries and %d keys: %s", mistake.slug, mistake.tile_queries,
        mistake.tile_keys, mistake.words.c_str());
    int recognised = 0, shown = 0;
    for (const Problem& problem : problems) {
      const std::vector<float> O = simulate(mistake, problem, all_rows(problem.shape));
      const Comparison comparison = O.empty() ? Comparison{} : compare(problem, O.data(), kFiller);
      if (O.empty() || comparison.accepted()) continue;
      ++shown;
      const Diagnosis diagnosis = diagnose(problem, O.data(), comparison, {bank, {}});
      if (diagnosis.slug == mistake.slug) ++recognised;
      EXPECT_FALSE(diagnosis.confident && diagnosis.slug != mistake.slug)
          << name << "\nis taken for " << diagnosis.slug << " in " << problem.shape.words();
    }
    EXPECT_GT(shown, 0) << name;
    EXPECT_GT(recognised, 0) << name;
  }
}

TEST(Diagnosis, RecognisesEveryMistakeOfTheBankWhereItShows) {
  expect_recognised(naive_mistakes(), naive_mistakes(), telling_problems());
}

TEST(Diagnosis, RecognisesMistakesWithTiles) {
  expect_recognised(
      tiled_mistakes(), bank_with({naive_mistakes(), tiled_mistakes()}),
      {draw({.heads = 2, .N_q = 150, .N_k = 140, .d = 11}, 41)});
}

TEST(Diagnosis, RecognisesMistakesOfARunningMaximum) {
  expect_recognised(
      online_mistakes(), bank_with({naive_mistakes(), tiled_mistakes(), online_mistakes()}),
      {draw({.N_q = 12, .N_k = 300, .d = 16}, 42),
       draw({.N_q = 12, .N_k = 300, .d = 16, .inputs = Family::kRising}, 42),
       draw(with_scale({.N_q = 12, .N_k = 300, .d = 16}, 1), 42)});
}

TEST(Diagnosis, RecognisesMistakesWithVectors) {
  expect_recognised(
      vector_mistakes(), bank_with({naive_mistakes(), online_mistakes(), vector_mistakes()}),
      {draw({.N_q = 12, .N_k = 40, .d = 22}, 43)});
}

TEST(Diagnosis, RecognisesMistakesOfTheCausalMask) {
  const auto some_size = [](int tile) { return tile == 0 || tile == 16 || tile == 64; };
  std::vector<Mistake> mistakes;
  for (const Mistake& mistake : causal_mistakes())
    if (some_size(mistake.tile_queries) && some_size(mistake.tile_keys))
      mistakes.push_back(mistake);
  expect_recognised(
      mistakes, bank_with({naive_mistakes(), causal_mistakes()}),
      {draw({.N_q = 140, .N_k = 140, .d = 4, .causal = true}, 44),
       draw({.N_q = 70, .N_k = 140, .d = 4, .causal = true}, 44),
       draw({.N_q = 70, .N_k = 40, .d = 4, .causal = true}, 44),
       draw({.N_q = 40, .N_k = 40, .d = 4, .causal = true, .inputs = Family::kAllNeg200}, 44),
       draw({.N_q = 40, .N_k = 40, .d = 4, .causal = true, .inputs = Family::kNeg2e4}, 44)});
}

TEST(Diagnosis, MistakesWithTheMaskShowInCausalCasesOnly) {
  const Problem problem = draw({.N_q = 70, .N_k = 70, .d = 8}, 45);
  for (const Mistake& mistake : causal_mistakes())
    EXPECT_TRUE(simulate(mistake, problem, all_rows(problem.shape)).empty()) << mistake.slug;
}

TEST(Diagnosis, RecognisesMistakesInTheDivisionOfTheWork) {
  const auto some_size = [](int tile) { return tile == 0 || tile == 32 || tile == 64; };
  std::vector<Mistake> mistakes;
  for (const Mistake& mistake : partitioned_mistakes())
    if (some_size(mistake.tile_queries) && some_size(mistake.tile_keys))
      mistakes.push_back(mistake);
  const Case grouped = {.batch = 2, .heads = 8, .heads_kv = 4, .N_q = 9, .N_k = 40, .d = 8};
  expect_recognised(
      mistakes, bank_with({naive_mistakes(), causal_mistakes(), partitioned_mistakes()}),
      {draw(grouped, 47), draw(with_scale({.N_q = 256, .N_k = 100, .d = 4}, 2), 47),
       draw({.N_q = 192, .N_k = 192, .d = 4, .causal = true}, 47),
       draw({.N_q = 192, .N_k = 230, .d = 4, .causal = true}, 47)});
}

TEST(Diagnosis, MistakesWithGroupedHeadsShowThereOnly) {
  const auto shows = [](const Case& c) {
    const Problem problem = draw(c, 48);
    return !simulate({.kv_head = KvHead::kModulo}, problem, all_rows(c)).empty();
  };
  EXPECT_TRUE(shows({.heads = 4, .heads_kv = 2, .N_q = 3, .N_k = 5, .d = 4}));
  EXPECT_FALSE(shows({.heads = 4, .N_q = 3, .N_k = 5, .d = 4}));
  EXPECT_FALSE(shows({.heads = 4, .heads_kv = 1, .N_q = 3, .N_k = 5, .d = 4}));
}

TEST(Diagnosis, WithoutAMistakeTheSimulationIsRight) {
  for (Case c :
       {Case{.N_q = 40, .N_k = 70, .d = 8, .causal = true},
        Case{.heads = 2, .N_q = 70, .N_k = 40, .d = 8, .causal = true},
        Case{.N_q = 33, .N_k = 40, .d = 8},
        Case{.batch = 2, .heads = 6, .heads_kv = 2, .N_q = 9, .N_k = 20, .d = 8}})
    for (const Family family : kAllFamilies) {
      c.inputs = family;
      const Problem problem = draw(c, 46);
      const std::vector<float> O = simulate({}, problem, all_rows(c));
      EXPECT_TRUE(compare(problem, O.data(), kFiller).accepted()) << c.words();
    }
}

TEST(Diagnosis, SaysNothingAboutAnUnknownMistake) {
  const Problem problem = draw(kTelling, 22);
  std::vector<float> O = right_variants()[0].run(problem);
  for (std::size_t n = 0; n < O.size(); ++n) O[n] += 0.3f * std::sin(static_cast<float>(n * n));
  EXPECT_FALSE(diagnosis_of(problem, O).confident);
}

TEST(Diagnosis, IsNotConfidentBetweenMistakesThatCoincide) {
  // With one batch, missing the batch offset makes no difference, and missing the head offset of K and V alone or of
  // Q too gives the same result if Q is the same in every head.
  Problem problem = draw({.heads = 2, .N_q = 4, .N_k = 6, .d = 8}, 23);
  std::copy_n(problem.inputs.Q.begin(), 4 * 8, problem.inputs.Q.begin() + 4 * 8);
  const Mistake kv_only = {.kv_layout = Layout::kHeadZero};
  const Diagnosis diagnosis =
      diagnosis_of(problem, simulate(kv_only, problem, all_rows(problem.shape)));
  EXPECT_NE(diagnosis.slug, "");
  EXPECT_FALSE(diagnosis.confident);
}

TEST(Diagnosis, RulesOutWhatCasesThatPassedContradict) {
  // With 33 keys a missing last key and a missing last tile are the same; with 64 keys only one of them shows.
  const Problem problem = draw({.N_q = 33, .N_k = 33, .d = 8}, 28);
  const Mistake dropped = {.slug = "partial-tile-dropped", .whole_tiles_of = 32};
  const std::vector<float> O = simulate(dropped, problem, all_rows(problem.shape));
  EXPECT_FALSE(diagnosis_of(problem, O).confident);
  const Evidence evidence = {naive_mistakes(), {{{.N_q = 64, .N_k = 64, .d = 8}, 29}}};
  const Diagnosis diagnosis =
      diagnose(problem, O.data(), compare(problem, O.data(), kFiller), evidence);
  EXPECT_EQ(diagnosis.slug, "partial-tile-dropped");
  EXPECT_TRUE(diagnosis.confident);
}

TEST(Diagnosis, ReadsTheOriginOfANanFromItsBits) {
  const auto origin = [](std::uint32_t bits) { return nan_origin(std::bit_cast<float>(bits)); };
  EXPECT_EQ(
      origin(protocol::filler_bits(protocol::kK) | protocol::kQuietBit).slug, "read-out-of-bounds");
  EXPECT_NE(origin(protocol::filler_bits(protocol::kK)).words.find("outside K"), std::string::npos);
  EXPECT_EQ(origin(kFiller | protocol::kQuietBit).slug, "read-before-write");
  EXPECT_EQ(origin(0xffffffffu).slug, "uninitialised");
  EXPECT_EQ(origin(0x7fffffffu).slug, "");
  EXPECT_EQ(origin(0xffc00000u).slug, "");
}

Comparison with_unwritten(const Problem& problem, const std::vector<std::int64_t>& rows) {
  std::vector<float> O = right_variants()[0].run(problem);
  for (const std::int64_t row : rows)
    for (int k = 0; k < problem.shape.d; ++k)
      O[row * problem.shape.d + k] = std::bit_cast<float>(kFiller);
  return compare(problem, O.data(), kFiller);
}

TEST(Diagnosis, RowsBehindTheLastWholeBlockMeanAGridThatIsTooSmall) {
  const Problem problem = draw({.heads = 2, .N_q = 100, .N_k = 4, .d = 2}, 24);
  const Comparison comparison = with_unwritten(problem, {96, 97, 98, 99, 196, 197, 198, 199});
  EXPECT_EQ(diagnose_unwritten({problem.shape, protocol::kO}, comparison).slug, "grid-too-small");
  EXPECT_EQ(
      describe_rows({problem.shape, protocol::kO}, comparison),
      "never written: 8 of 200 rows, q = 96..99 of every head");
}

TEST(Diagnosis, WholeHeadsMeanAGridThatMissesHeads) {
  const Problem problem = draw({.batch = 2, .heads = 2, .N_q = 3, .N_k = 4, .d = 2}, 25);
  std::vector<std::int64_t> rows(9);
  std::iota(rows.begin(), rows.end(), 3);
  const Comparison comparison = with_unwritten(problem, rows);
  EXPECT_EQ(
      diagnose_unwritten({problem.shape, protocol::kO}, comparison).slug, "grid-misses-heads");
  EXPECT_EQ(
      describe_rows({problem.shape, protocol::kO}, comparison),
      "never written: 9 of 12 rows, in heads 1..3 of 4 (counted over all batches)");
}

TEST(Diagnosis, WrongRowsBesideUnwrittenOnesAreNotAGridThatIsTooSmall) {
  const Problem problem = draw({.heads = 2, .N_q = 3, .N_k = 4, .d = 2}, 25);
  std::vector<float> O = right_variants()[0].run(problem);
  O[0] = 100;
  for (int n = 3 * 2; n < 6 * 2; ++n) O[n] = std::bit_cast<float>(kFiller);
  EXPECT_EQ(
      diagnose_unwritten({problem.shape, protocol::kO}, compare(problem, O.data(), kFiller)).slug,
      "");
}

TEST(Diagnosis, AnOutputThatWasNeverTouchedIsNamed) {
  const Problem problem = draw({.N_q = 3, .N_k = 4, .d = 2}, 26);
  EXPECT_EQ(
      diagnose_unwritten({problem.shape, protocol::kO}, with_unwritten(problem, {0, 1, 2})).slug,
      "output-never-written");
}

TEST(Diagnosis, DescribesColumns) {
  const Problem problem = draw({.N_q = 3, .N_k = 4, .d = 8}, 27);
  std::vector<float> O = right_variants()[0].run(problem);
  for (int row = 0; row < 3; ++row) O[row * 8 + 6] = O[row * 8 + 7] = 100;
  EXPECT_EQ(
      describe_rows({problem.shape, protocol::kO}, compare(problem, O.data(), kFiller)),
      "wrong: 3 of 3 rows; only elements k = 6, 7 of a row");
}

}  // namespace
}  // namespace judge
