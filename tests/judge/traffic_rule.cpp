#include "traffic_rule.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "text.h"

namespace judge {
namespace {

using protocol::Counts;

constexpr int kSmallestTile = 16;  // queries
constexpr double kSlack = 1.1;
constexpr double kWideShare = 0.9;
constexpr double kCausalShare = 0.6;
constexpr double kCausalSlack = 1.02;
constexpr double kFewestTiles = 2;   // of queries, in the longest problem
constexpr double kOnePass = 1.1;     // so much of K is loaded in one pass, at most
constexpr int kScoresPerOutput = 8;  // more loads of a score than one per element of O
constexpr int kShortest = 1024, kLongest = 2048;

double loaded(const Counts& counts, protocol::Tensor tensor) {
  return static_cast<double>(counts.tensor[tensor].loads.bytes);
}

double loaded_keys_and_values(const Counts& counts) {
  return loaded(counts, protocol::kK) + loaded(counts, protocol::kV);
}

double tensor_bytes(const Case& c) {  // of K, and of V
  return static_cast<double>(c.kv_elements()) * sizeof(float);
}

double score_bytes(const Case& c) { return static_cast<double>(c.rows()) * c.N_k * sizeof(float); }

double most_passes(const Case& c) { return kSlack * ((c.N_q + kSmallestTile - 1) / kSmallestTile); }

}  // namespace

std::string megabytes(double bytes) { return format("%.1f MB", bytes / 1e6); }

Passes passes_of(const Case& c, const Counts& counts) {
  return {
      loaded(counts, protocol::kK) / tensor_bytes(c),
      loaded(counts, protocol::kV) / tensor_bytes(c)};
}

TrafficVerdict judge_passes(const Case& c, const Counts& counts, int most_trips) {
  const Passes passes = passes_of(c, counts);
  const double total = loaded_keys_and_values(counts);
  const double scratch = static_cast<double>(counts.other.loads.bytes);
  const double first_lesson = c.N_q * 2.0 * tensor_bytes(c);
  const double most = most_passes(c);
  const std::string words = format(
      "lesson 01 asked for %s of K and V, yours for %s", megabytes(first_lesson).c_str(),
      megabytes(total).c_str());
  const std::string times = format(
      "\nK is loaded %.1f times and V %.1f times, for %d queries", passes.K, passes.V, c.N_q);

  if (total + scratch < 2 * tensor_bytes(c))
    return {
        "protocol",
        words + "\nthat is less than K and V hold: what the device counts has been tampered with"};
  if (!(passes.V <= most && passes.K <= most_trips * most))
    return {
        "traffic",
        words + times +
            format(
                "\nwith tiles of %d queries or more it is %d times: each key that a block loads is "
                "used for all of them",
                kSmallestTile, (c.N_q + kSmallestTile - 1) / kSmallestTile)};
  if (most_trips == 1 && !(passes.K <= kSlack * passes.V && passes.V <= kSlack * passes.K))
    return {
        "traffic", words + times +
                       format(
                           "\none pass over K and V loads each of them equally often; %s is loaded "
                           "%.1f times as often",
                           passes.K > passes.V ? "K" : "V",
                           std::max(passes.K, passes.V) / std::min(passes.K, passes.V))};
  // Copies of K and V, and the scores where they may be stored.
  const double copies = (most_trips + 1) * most * tensor_bytes(c);
  const double scores = most_trips == 1 ? 0 : (c.d + kScoresPerOutput) * score_bytes(c);
  if (!(scratch <= copies + scores))
    return {
        "traffic", words + format(
                               "\nand %s are loaded from scratch memory, more than tiles need",
                               megabytes(scratch).c_str())};
  return {"", words + format(": %.1f passes over K instead of %d", passes.K, c.N_q)};
}

TrafficVerdict judge_width(const Counts& counts) {
  double all = 0, wide = 0;
  for (const auto tensor : {protocol::kQ, protocol::kK, protocol::kV, protocol::kO})
    for (const auto* accesses : {&counts.tensor[tensor].loads, &counts.tensor[tensor].stores}) {
      all += static_cast<double>(accesses->bytes);
      wide += static_cast<double>(accesses->bytes_16);
    }
  if (all == 0)
    return {"protocol", "no access to Q, K, V and O was counted: the count has been tampered with"};
  const std::string words = format(
      "access width: %.1f %% of the bytes of Q, K, V and O move in 16-byte accesses",
      100 * wide / all);
  if (wide >= kWideShare * all) return {"", words};
  return {
      "access width",
      words + format("; a kernel with float4 loads and stores reaches %.0f %%", 100 * kWideShare)};
}

TrafficVerdict judge_skipping(const Case& c, const Counts& full, const Counts& causal) {
  double all = loaded_keys_and_values(full), some = loaded_keys_and_values(causal);
  if (all == 0 || some == 0)
    return {"protocol", "no access to K and V was counted: the count has been tampered with"};
  double tiles = passes_of(c, full).V;
  const double trips = loaded(full, protocol::kQ) / (sizeof(float) * c.q_elements());
  const bool keys_outside = tiles < kOnePass && trips >= kFewestTiles;
  if (keys_outside) {
    all = loaded(full, protocol::kQ);
    some = loaded(causal, protocol::kQ);
    tiles = trips;
  }
  const std::string words = format(
      "with the causal mask %s of %s are loaded, without it %s: %.2f times as much",
      megabytes(some).c_str(), keys_outside ? "Q" : "K and V", megabytes(all).c_str(), some / all);
  tiles = std::max(tiles, kFewestTiles);
  const double most = std::max(kCausalShare, kCausalSlack * (tiles + 1) / (2 * tiles));
  if (some <= most * all) return {"", words};
  return {
      "traffic", words + format(
                             "\na kernel that skips the tiles right of the diagonal needs about "
                             "half; at most %.2f times as much is accepted",
                             most)};
}

int skipping_length(const Passes& full, int N_q) {
  const double tile = N_q / std::max(full.V, 1.0);  // queries
  return static_cast<int>(std::clamp<double>(std::ceil(8 * tile), kShortest, kLongest));
}

}  // namespace judge
