#include "judge/traffic_rule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace judge {
namespace {

using protocol::Counts;

const Case kShape = {.heads = 2, .N_q = 500, .N_k = 500, .d = 32};

std::uint64_t times(double passes) {
  return static_cast<std::uint64_t>(
      std::llround(passes * static_cast<double>(kShape.kv_elements()) * sizeof(float)));
}

// What a kernel loads that makes so many passes over K and over V.
Counts with_passes(double K, double V) {
  Counts counts{};
  counts.tensor[protocol::kK].loads.bytes = times(K);
  counts.tensor[protocol::kV].loads.bytes = times(V);
  return counts;
}

std::string kind(const Counts& counts, int most_trips) {
  return judge_passes(kShape, counts, most_trips).kind;
}

TEST(TrafficRule, AcceptsTilesOfAnySizeFromSixteenQueriesOn) {
  for (const int Br : {16, 17, 24, 32, 64, 128, 500}) {
    const double tiles = std::ceil(500.0 / Br);
    for (const int most_trips : {3, 1})
      EXPECT_EQ(kind(with_passes(tiles, tiles), most_trips), "") << Br;
  }
}

TEST(TrafficRule, AcceptsWhatARaggedTileLoadsTwice) {
  EXPECT_EQ(kind(with_passes(32 * 1.09, 32 * 1.09), 3), "");
}

TEST(TrafficRule, RejectsOnePassPerQuery) {
  const TrafficVerdict verdict = judge_passes(kShape, with_passes(500, 500), 3);
  EXPECT_EQ(std::string(verdict.kind), "traffic");
  EXPECT_NE(
      verdict.words.find("lesson 01 asked for 128.0 MB of K and V, yours for 128.0 MB"),
      std::string::npos)
      << verdict.words;
  EXPECT_NE(verdict.words.find("K is loaded 500.0 times and V 500.0 times"), std::string::npos);
}

TEST(TrafficRule, RejectsTilesOfTooFewQueries) {
  EXPECT_EQ(kind(with_passes(63, 63), 3), "traffic");
  EXPECT_EQ(kind(with_passes(32, 63), 3), "traffic");
}

TEST(TrafficRule, RejectsOneTensorWithoutTiles) {
  EXPECT_EQ(kind(with_passes(500, 8), 3), "traffic");
  EXPECT_EQ(kind(with_passes(8, 500), 3), "traffic");
}

TEST(TrafficRule, SeveralTripsOverKAreAllowedUntilOnePassIsAskedFor) {
  for (const double trips : {2.0, 3.0}) {
    EXPECT_EQ(kind(with_passes(8 * trips, 8), 3), "");
    const TrafficVerdict verdict = judge_passes(kShape, with_passes(8 * trips, 8), 1);
    EXPECT_EQ(std::string(verdict.kind), "traffic");
    EXPECT_NE(verdict.words.find("one pass over K and V"), std::string::npos);
  }
  EXPECT_EQ(kind(with_passes(8, 16), 1), "traffic");
}

TEST(TrafficRule, ScoresMayBeReadWhereTheyMayBeStored) {
  Counts counts = with_passes(8, 8);
  counts.other.loads.bytes =
      std::uint64_t{2} * 500 * 500 * 4 * 33;  // once per element of O, and once more
  EXPECT_EQ(kind(counts, 3), "");
  EXPECT_EQ(kind(counts, 1), "traffic");
}

TEST(TrafficRule, ACopyOfKAndVDoesNotHideTheTraffic) {
  Counts counts = with_passes(1, 1);
  counts.other.loads.bytes = times(500) + times(500);
  EXPECT_EQ(kind(counts, 3), "traffic");
  EXPECT_EQ(kind(counts, 1), "traffic");
}

TEST(TrafficRule, ACopyOfKThatIsReadInTilesIsAccepted) {
  Counts counts = with_passes(1, 8);
  counts.other.loads.bytes = times(8);
  EXPECT_EQ(kind(counts, 3), "");
}

TEST(TrafficRule, PartialResultsOfSplitKeysAreAccepted) {
  Counts counts = with_passes(8, 8);
  counts.other.loads.bytes =
      std::uint64_t{8} * 2 * 500 * 34 * 4;  // 8 splits, O and m and l of each
  EXPECT_EQ(kind(counts, 1), "");
}

TEST(TrafficRule, TooFewBytesAreNotBelieved) {
  EXPECT_EQ(kind({}, 3), "protocol");
  EXPECT_EQ(kind(with_passes(0.9, 0.9), 1), "protocol");
}

Counts with_width(double share) {
  Counts counts{};
  for (const auto tensor : {protocol::kQ, protocol::kK, protocol::kV}) {
    counts.tensor[tensor].loads.bytes = 1000;
    counts.tensor[tensor].loads.bytes_16 = static_cast<std::uint64_t>(1000 * share);
  }
  counts.tensor[protocol::kO].stores.bytes = 1000;
  counts.tensor[protocol::kO].stores.bytes_16 = static_cast<std::uint64_t>(1000 * share);
  counts.tensor[protocol::kLSE].stores.bytes = 4000;  // plays no part
  return counts;
}

TEST(TrafficRule, WidthIsAShareOfTheBytesOfTheTensors) {
  EXPECT_TRUE(judge_width(with_width(1)).accepted());
  EXPECT_TRUE(judge_width(with_width(0.9)).accepted());
  const TrafficVerdict verdict = judge_width(with_width(0.89));
  EXPECT_EQ(std::string(verdict.kind), "access width");
  EXPECT_EQ(verdict.words.find("access width: 89.0 % of the bytes"), 0u) << verdict.words;
  EXPECT_EQ(std::string(judge_width({}).kind), "protocol");
}

TEST(TrafficRule, SkippedTilesLeaveAboutHalf) {
  EXPECT_TRUE(judge_skipping(kShape, with_passes(8, 8), with_passes(4.5, 4.5)).accepted());
  EXPECT_TRUE(judge_skipping(kShape, with_passes(8, 8), with_passes(4.8, 4.8)).accepted());
  const TrafficVerdict verdict = judge_skipping(kShape, with_passes(8, 8), with_passes(8, 8));
  EXPECT_EQ(std::string(verdict.kind), "traffic");
  EXPECT_NE(verdict.words.find("1.00 times as much"), std::string::npos) << verdict.words;
  EXPECT_EQ(
      std::string(judge_skipping(kShape, with_passes(8, 8), with_passes(5, 5)).kind), "traffic");
  EXPECT_EQ(std::string(judge_skipping(kShape, {}, {}).kind), "protocol");
}

TEST(TrafficRule, FewTallTilesLeaveMoreThanHalf) {
  EXPECT_TRUE(judge_skipping(kShape, with_passes(4, 4), with_passes(2.5, 2.5)).accepted());
  EXPECT_TRUE(judge_skipping(kShape, with_passes(2, 2), with_passes(1.5, 1.5)).accepted());
  EXPECT_EQ(
      std::string(judge_skipping(kShape, with_passes(4, 4), with_passes(2.6, 2.6)).kind),
      "traffic");
  EXPECT_EQ(
      std::string(judge_skipping(kShape, with_passes(1, 1), with_passes(1, 1)).kind), "traffic");
}

TEST(TrafficRule, WithTheKeysInTheOuterLoopTheQueriesAreSkipped) {
  const auto with_trips = [](double trips) {
    Counts counts = with_passes(1, 1);
    counts.tensor[protocol::kQ].loads.bytes =
        static_cast<std::uint64_t>(trips * 4 * static_cast<double>(kShape.q_elements()));
    return counts;
  };
  const TrafficVerdict verdict = judge_skipping(kShape, with_trips(16), with_trips(8.5));
  EXPECT_TRUE(verdict.accepted()) << verdict.words;
  EXPECT_NE(verdict.words.find("of Q are loaded"), std::string::npos) << verdict.words;
  EXPECT_EQ(std::string(judge_skipping(kShape, with_trips(16), with_trips(16)).kind), "traffic");
  EXPECT_EQ(std::string(judge_skipping(kShape, with_trips(1), with_trips(0.5)).kind), "traffic");
}

TEST(TrafficRule, SkippingIsMeasuredAtEightTiles) {
  EXPECT_EQ(skipping_length({16, 16}, 1024), 1024);  // tiles of 64 queries
  EXPECT_EQ(skipping_length({8, 8}, 1024), 1024);
  EXPECT_EQ(skipping_length({4, 4}, 1024), 2048);
  EXPECT_EQ(skipping_length({1, 1}, 1024), 2048);
}

}  // namespace
}  // namespace judge
