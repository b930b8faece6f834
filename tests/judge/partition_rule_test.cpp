#include "judge/partition_rule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace judge {
namespace {

using protocol::Counts;

// 384 more keys for 384 queries.
const Case kShape = {.N_q = 384, .N_k = 384, .d = 128};
constexpr double kScores = 384.0 * 384;

std::uint64_t whole(double value) { return static_cast<std::uint64_t>(std::llround(value)); }

// What 384 more keys add in a kernel with tiles of Br queries, in bytes or calls per score. partials: how many parts of O
// cross shared memory after every tile of Bc keys.
struct Kernel {
  double Br = 64, Bc = 64;
  double scores_and_weights = 0;
  double partials = 0;
  double exponentials = 1.25;
  double loaded = 2;  // per multiply-add
};

Counts counts_of(const Kernel& kernel) {
  Counts counts{};
  const double tensor = kScores * 4 * kShape.d / kernel.Br;
  counts.tensor[protocol::kK].loads.bytes = whole(tensor);
  counts.tensor[protocol::kV].loads.bytes = whole(tensor);
  const double partial = 4 * (kShape.d + 2) / kernel.Bc;  // of O, m and l
  counts.shared_store_bytes =
      whole(2 * tensor + kScores * (kernel.scores_and_weights + kernel.partials * partial));
  counts.exp_calls = whole(kScores * kernel.exponentials);
  counts.shared_load_bytes = whole(kScores * 2 * kShape.d * kernel.loaded);
  return counts;
}

bool stores_accepted(const Kernel& kernel) {
  return judge_shared_stores(kShape, counts_of(kernel)).accepted();
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST(PartitionRule, OneBlockForEvery128Queries) {
  EXPECT_TRUE(judge_blocks(1024, 8).accepted());
  EXPECT_TRUE(judge_blocks(1024, 64).accepted());
  const PartitionVerdict verdict = judge_blocks(1024, 7);
  EXPECT_STREQ(verdict.kind, "work partitioning");
  EXPECT_TRUE(has(verdict.words, "7 blocks for 1,024 queries")) << verdict.words;
  EXPECT_TRUE(has(verdict.words, "at least 8")) << verdict.words;
  EXPECT_FALSE(judge_blocks(1025, 8).accepted());
}

// once + per_tile * ceil(N_k / Bc)
std::function<std::uint64_t(int)> staircase(int Bc, int per_tile, int once = 0) {
  return
      [=](int N_k) { return static_cast<std::uint64_t>(once + per_tile * ((N_k + Bc - 1) / Bc)); };
}

std::string barriers_of(const std::function<std::uint64_t(int)>& barriers, bool one_block = true) {
  const PartitionVerdict verdict = judge_barriers(find_steps(barriers, 128, 256), one_block);
  return (verdict.accepted() ? "" : "too many: ") +
         verdict.words.substr(0, verdict.words.find('\n'));
}

TEST(PartitionRule, FindsTheStepsOfAStaircase) {
  for (const int Bc : {8, 16, 20, 24, 32, 40, 48, 64, 96})
    for (const int per_tile : {1, 2, 3}) {
      const Steps steps = find_steps(staircase(Bc, per_tile, 5), 128, 512);
      EXPECT_EQ(steps.count, (512 + Bc - 1) / Bc - (128 + Bc - 1) / Bc) << Bc;
      EXPECT_EQ(steps.barriers, static_cast<std::uint64_t>(per_tile * steps.count)) << Bc;
      EXPECT_EQ(steps.lowest, static_cast<std::uint64_t>(per_tile)) << Bc;
      EXPECT_EQ(steps.last - steps.first, (steps.count - 1) * Bc);
      EXPECT_EQ(steps.first % Bc, 1);
    }
}

TEST(PartitionRule, FindsTheLowestStep) {
  const auto uneven = [](int N_k) { return staircase(32, 1)(N_k) + staircase(64, 2)(N_k); };
  EXPECT_EQ(find_steps(uneven, 96, 200).lowest, 1u);
  EXPECT_EQ(find_steps(uneven, 128, 200).lowest, 1u);
}

TEST(PartitionRule, AsksForFewLengths) {
  int asked = 0;
  const auto barriers = staircase(32, 2);
  find_steps([&](int N_k) { return ++asked, barriers(N_k); }, 128, 256);
  EXPECT_LE(asked, 30);
  asked = 0;
  find_steps([&](int) { return ++asked, std::uint64_t{3}; }, 128, 256);
  EXPECT_EQ(asked, 2);
}

TEST(PartitionRule, AcceptsTwoBarriersPerTile) {
  EXPECT_EQ(barriers_of(staircase(32, 2, 9)), "2 barriers per tile of 32 keys");
  EXPECT_EQ(barriers_of(staircase(48, 2)), "2 barriers per tile of 48 keys");
  EXPECT_EQ(barriers_of(staircase(64, 1)), "1 barrier per tile of 64 keys");
  EXPECT_EQ(barriers_of(staircase(64, 0, 3)), "no barrier in the loop over the keys");
  EXPECT_EQ(barriers_of(staircase(8, 2)), "2 barriers per tile of 8 keys");
}

TEST(PartitionRule, RejectsThree) {
  EXPECT_EQ(barriers_of(staircase(32, 3)), "too many: 3 barriers per tile of 32 keys");
  EXPECT_EQ(barriers_of(staircase(64, 4)), "too many: 4 barriers per tile of 64 keys");
  EXPECT_EQ(barriers_of(staircase(4, 2)), "too many: 2 barriers per tile of 4 keys");
  // Also those of a kernel with many blocks, of which one has the keys.
  EXPECT_EQ(barriers_of(staircase(32, 3, 46), false), "too many: 3 barriers per tile of 32 keys");
}

TEST(PartitionRule, AveragesTilesThatDiffer) {
  // One barrier for each tile of V and three for each tile of K, which has twice as many keys.
  const auto both = [](int N_k) { return staircase(32, 1)(N_k) + staircase(64, 3)(N_k); };
  EXPECT_EQ(barriers_of(both), "too many: 2.5 barriers per tile of 32 keys");
  const auto fewer = [](int N_k) { return staircase(32, 1)(N_k) + staircase(64, 2)(N_k); };
  EXPECT_EQ(barriers_of(fewer), "2 barriers per tile of 32 keys");
}

TEST(PartitionRule, BlocksThatShareTheKeysMayTakeAStepTogether) {
  const auto four_blocks = [](int N_k) {
    const int share = (N_k + 3) / 4;
    std::uint64_t sum = 0;
    for (int left = N_k; left > 0; left -= share) sum += staircase(16, 2)(std::min(share, left));
    return sum;
  };
  EXPECT_EQ(barriers_of(four_blocks, true).substr(0, 9), "too many:");
  EXPECT_EQ(barriers_of(four_blocks, false).substr(0, 10), "2 barriers");
}

TEST(PartitionRule, OnlyGrowthCounts) {
  Counts less{}, more{};
  less.shared_store_bytes = 5000;
  more.shared_store_bytes = 5600;
  less.tensor[protocol::kK].loads.bytes = 10;
  more.tensor[protocol::kK].loads.bytes = 30;
  less.exp_calls = 7;
  more.exp_calls = 5;  // fewer
  const Counts added = growth(less, more);
  EXPECT_EQ(added.shared_store_bytes, 600u);
  EXPECT_EQ(added.tensor[protocol::kK].loads.bytes, 20u);
  EXPECT_EQ(added.exp_calls, 0u);
}

TEST(PartitionRule, OneExponentialPerScoreAndSomeForTheFactors) {
  for (const double calls : {0.0, 1.0, 1.03, 1.125, 1.25, 1.5})
    EXPECT_TRUE(judge_exponentials(kShape, counts_of({.exponentials = calls})).accepted()) << calls;
  for (const double calls : {1.7, 2.0, 4.0, 9.0}) {
    const PartitionVerdict verdict = judge_exponentials(kShape, counts_of({.exponentials = calls}));
    EXPECT_STREQ(verdict.kind, "work partitioning") << calls;
  }
  EXPECT_TRUE(
      has(judge_exponentials(kShape, counts_of({.exponentials = 2})).words,
          "2.00 exponentials per score"));
}

// The kernels of the table in the header.
TEST(PartitionRule, KeysValuesScoresAndWeightsMayBeStored) {
  for (const double Br : {16, 32, 48, 64, 96, 128})
    for (const double bytes : {0, 4, 8})
      EXPECT_TRUE(stores_accepted({.Br = Br, .scores_and_weights = bytes})) << Br << " " << bytes;
}

TEST(PartitionRule, PartsOfOMayNot) {
  EXPECT_FALSE(stores_accepted({.Br = 64, .Bc = 64, .partials = 3}));
  EXPECT_FALSE(stores_accepted({.Br = 128, .Bc = 64, .partials = 3}));
  EXPECT_FALSE(stores_accepted({.Br = 128, .Bc = 32, .partials = 3}));
  EXPECT_FALSE(stores_accepted({.Br = 64, .Bc = 32, .partials = 3}));
  EXPECT_FALSE(stores_accepted({.Br = 32, .Bc = 32, .partials = 3}));
  EXPECT_FALSE(stores_accepted({.Br = 16, .Bc = 64, .scores_and_weights = 4, .partials = 4}));
  EXPECT_FALSE(stores_accepted({.Br = 64, .Bc = 32, .partials = 1}));  // O lies in shared memory
  EXPECT_FALSE(stores_accepted({.Br = 64, .Bc = 128, .scores_and_weights = 4, .partials = 3}));
}

TEST(PartitionRule, SaysWhatIsStoredAndWhatIsNeeded) {
  const PartitionVerdict verdict =
      judge_shared_stores(kShape, counts_of({.Br = 64, .Bc = 64, .partials = 3}));
  EXPECT_STREQ(verdict.kind, "work partitioning");
  EXPECT_TRUE(has(verdict.words, "40.4 bytes stored in shared memory per score")) << verdict.words;
  EXPECT_TRUE(has(verdict.words, "K and V need 16.0")) << verdict.words;
  EXPECT_TRUE(has(verdict.words, "split Q")) << verdict.words;
}

TEST(PartitionRule, ACopyOfTheKeysMayBeStoredAsWell) {
  Counts counts = counts_of({.Br = 64, .scores_and_weights = 8});
  std::swap(counts.tensor[protocol::kK].loads.bytes, counts.other.loads.bytes);
  EXPECT_TRUE(judge_shared_stores(kShape, counts).accepted());
}

TEST(PartitionRule, TooFewBytesAreNotBelieved) {
  EXPECT_STREQ(judge_shared_stores(kShape, Counts{}).kind, "protocol");
}

TEST(PartitionRule, WhatIsLoadedFromQForEveryKeyCountsAsWell) {
  Counts counts = counts_of({.loaded = 2});  // 2 x 2 results, with K in shared memory only
  EXPECT_TRUE(judge_shared_loads(kShape, counts).accepted());
  counts.tensor[protocol::kQ].loads.bytes = counts.shared_load_bytes;
  const PartitionVerdict verdict = judge_shared_loads(kShape, counts);
  EXPECT_STREQ(verdict.kind, "work partitioning");
  EXPECT_TRUE(has(verdict.words, "every multiply-add loads 4.0 bytes")) << verdict.words;
}

TEST(PartitionRule, RegisterTilesOfFourByFourLoadTwoBytes) {
  const auto verdict = [](double bytes) {
    return judge_shared_loads(kShape, counts_of({.loaded = bytes}));
  };
  for (const double bytes : {0.0, 0.5, 1.0, 1.25, 2.0, 2.1})
    EXPECT_TRUE(verdict(bytes).accepted()) << bytes;
  for (const double bytes : {2.5, 3.0, 4.0, 8.0}) EXPECT_FALSE(verdict(bytes).accepted()) << bytes;
  EXPECT_TRUE(has(verdict(4).words, "every multiply-add loads 4.0 bytes from shared memory"));
}

}  // namespace
}  // namespace judge
