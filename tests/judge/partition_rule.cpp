#include "partition_rule.h"

#include <algorithm>

#include "text.h"

namespace judge {
namespace {

using protocol::Counts;

constexpr char kKind[] = "work partitioning";
constexpr int kQueriesPerBlock = 128;
constexpr double kMostBarriers = 2;
constexpr double kSmallestTile = 8;  // keys
constexpr double kMostExponentials = 1.6;
constexpr double kScoresAndWeights = 2 * sizeof(float);  // S and P
constexpr double kStoreSlack = 1.1;
constexpr double kMostLoaded = 2.2;  // bytes per multiply-add

double scores(const Case& c) { return static_cast<double>(c.rows()) * c.N_k; }

// Bytes of K and V, and of copies of them.
double loaded(const Counts& counts) {
  return static_cast<double>(
      counts.tensor[protocol::kK].loads.bytes + counts.tensor[protocol::kV].loads.bytes +
      counts.other.loads.bytes);
}

// "2" or "1.25"
std::string short_number(double value) { return format("%.3g", value); }

}  // namespace

PartitionVerdict judge_blocks(int N_q, std::uint64_t blocks) {
  const int least = (N_q + kQueriesPerBlock - 1) / kQueriesPerBlock;
  const std::string words = with_commas(blocks) + (blocks == 1 ? " block" : " blocks") + " for " +
                            with_commas(N_q) + " queries of one head";
  if (blocks >= static_cast<std::uint64_t>(least)) return {"", words};
  return {
      kKind,
      words + format(
                  "\nat least %d are expected, one for every %d queries: a block runs on one "
                  "multiprocessor, and the others have nothing to do",
                  least, kQueriesPerBlock)};
}

Steps find_steps(const std::function<std::uint64_t(int)>& barriers, int from, int to) {
  Steps steps;
  const std::function<void(int, std::uint64_t, int, std::uint64_t)> search =
      [&](int first, std::uint64_t at_first, int last, std::uint64_t at_last) {
        if (at_last <= at_first) return;
        if (last - first == 1) {
          const std::uint64_t height = at_last - at_first;
          steps.lowest = steps.count == 0 ? height : std::min(steps.lowest, height);
          steps.barriers += height;
          if (steps.count++ == 0) steps.first = last;
          steps.last = last;
          return;
        }
        const int middle = first + (last - first) / 2;
        const std::uint64_t at_middle = barriers(middle);
        search(first, at_first, middle, at_middle);
        search(middle, at_middle, last, at_last);
      };
  search(from, barriers(from), to, barriers(to));
  return steps;
}

PartitionVerdict judge_barriers(const Steps& steps, bool one_block) {
  if (steps.count < 2) return {"", "no barrier in the loop over the keys"};
  const double tile = static_cast<double>(steps.last - steps.first) / (steps.count - 1);
  const double height = one_block ? static_cast<double>(steps.barriers) / steps.count
                                  : static_cast<double>(steps.lowest);
  const double per_tile = height * std::max(1.0, kSmallestTile / tile);
  std::string words = short_number(height) + (height == 1 ? " barrier" : " barriers") +
                      " per tile of " + short_number(tile) + (tile == 1 ? " key" : " keys");
  if (per_tile <= kMostBarriers) return {"", words};
  if (per_tile > height) words += format("\na tile has %.0f keys or more", kSmallestTile);
  return {
      kKind,
      words +
          "\n2 are enough: one before the next tile overwrites K and V, one before they are read. "
          "What the threads of one warp share needs __syncwarp()"};
}

Counts growth(const Counts& less, const Counts& more) {
  // A count that fell has not grown.
  const auto grown = [](std::uint64_t before, std::uint64_t after) {
    return after > before ? after - before : 0;
  };
  Counts added{};
  for (int t = 0; t < protocol::kTensors; ++t)
    added.tensor[t].loads.bytes = grown(less.tensor[t].loads.bytes, more.tensor[t].loads.bytes);
  added.other.loads.bytes = grown(less.other.loads.bytes, more.other.loads.bytes);
  added.shared_load_bytes = grown(less.shared_load_bytes, more.shared_load_bytes);
  added.shared_store_bytes = grown(less.shared_store_bytes, more.shared_store_bytes);
  added.exp_calls = grown(less.exp_calls, more.exp_calls);
  return added;
}

PartitionVerdict judge_exponentials(const Case& c, const Counts& added) {
  const double calls = static_cast<double>(added.exp_calls) / scores(c);
  const std::string words = format("%.2f exponentials per score", calls);
  if (calls <= kMostExponentials) return {"", words};
  return {
      kKind, words +
                 "\none per score gives P, and one per row and tile the factor exp(m_old - m_new): "
                 "compute "
                 "each weight in one thread, and the maximum of a tile before its weights"};
}

PartitionVerdict judge_shared_stores(const Case& c, const Counts& added) {
  // All of K and V has to be loaded at least once.
  const double least = 2.0 * sizeof(float) * c.batch * c.kv_heads() * c.N_k * c.d;
  if (loaded(added) < least)
    return {
        "protocol",
        "fewer bytes of K and V are loaded than they hold: what the device counts has been "
        "tampered with"};
  const double stored = static_cast<double>(added.shared_store_bytes) / scores(c);
  const double keys_and_values = loaded(added) / scores(c);
  const std::string words = format("%.1f bytes stored in shared memory per score", stored);
  if (stored <= kStoreSlack * (keys_and_values + kScoresAndWeights)) return {"", words};
  return {
      kKind,
      words +
          format(
              "\nK and V need %.1f of them, and %.0f more are enough for P: the rest is O, m or l, "
              "which go through shared memory in every tile of keys, as if the warps split the "
              "keys and added up their parts of O\nlet each warp own rows of queries (split Q), "
              "and m, l and O of a row stay in its registers until the last tile",
              keys_and_values, kScoresAndWeights)};
}

PartitionVerdict judge_shared_loads(const Case& c, const Counts& added) {
  const auto loaded = added.shared_load_bytes + added.tensor[protocol::kQ].loads.bytes;
  const double bytes = static_cast<double>(loaded) / (2 * scores(c) * c.d);
  const std::string words = format("%.1f bytes loaded from shared memory per multiply-add", bytes);
  if (bytes <= kMostLoaded) return {"", words};
  return {
      kKind,
      format(
          "every multiply-add loads %.1f bytes from shared memory%s\na register tile of 4 x 4 "
          "results loads 2.0: 4 + 4 floats for 16 multiply-adds, so each float that is loaded "
          "is used 4 times",
          bytes, added.tensor[protocol::kQ].loads.bytes > loaded / 10 ? " and Q" : "")};
}

}  // namespace judge
