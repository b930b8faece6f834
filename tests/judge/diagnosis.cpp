#include "diagnosis.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "runner/protocol.h"
#include "text.h"

namespace judge {
namespace {

constexpr std::size_t kBadRows = 32;       // compared with the bank
constexpr std::size_t kRightRows = 16;     // that a good explanation must also get right
constexpr double kNoise = 1e-6;            // distances below this are all the same
constexpr std::size_t kEvidenceRows = 16;  // of every case that passed, compared with each suspect
constexpr std::size_t kEvidenceCases = 24;
constexpr std::int64_t kEvidenceElements = 200'000;
// Half and bfloat16 arithmetic stay below, a wrong formula above: it changes an output of N_k keys by at least about
// 1 / sqrt(N_k), relatively.
constexpr double kLostPrecision = 5e-3;
constexpr double kWrongFormula = 1e5;  // times the bound
constexpr double kUnexplained = 0.05;  // of the distance to the reference may be left

// Up to `most` elements, evenly spread.
std::vector<std::int64_t> spread(const std::vector<std::int64_t>& all, std::size_t most) {
  if (all.size() <= most) return all;
  std::vector<std::int64_t> some;
  for (std::size_t n = 0; n < most; ++n) some.push_back(all[n * (all.size() - 1) / (most - 1)]);
  return some;
}

std::vector<std::int64_t> all_rows(const Case& shape) {
  std::vector<std::int64_t> rows(shape.rows());
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

// True if a kernel with this mistake, which may have spoilt the failed case, would also have failed one that passed.
bool ruled_out(const Mistake& mistake, const Case& failed, const std::vector<Problem>& passed) {
  const int tile = mistake.whole_tiles_of;
  for (const Problem& problem : passed) {
    // A kernel may treat fewer keys than a tile in a way of its own.
    if (problem.shape.N_k < tile && failed.N_k >= tile) continue;
    const std::vector<std::int64_t> rows = spread(all_rows(problem.shape), kEvidenceRows);
    const std::vector<float> simulated = simulate(mistake, problem, rows);
    if (simulated.empty()) continue;
    std::vector<float> O(problem.shape.q_elements());
    for (std::size_t n = 0; n < rows.size(); ++n)
      std::copy_n(
          simulated.begin() + n * problem.shape.d, problem.shape.d,
          O.begin() + rows[n] * problem.shape.d);
    if (!compare_rows(problem, O.data(), protocol::filler_bits(protocol::kO), rows).accepted())
      return true;
  }
  return false;
}

std::vector<Problem> draw_passed(const std::vector<DrawnCase>& passed) {
  std::vector<Problem> problems;
  for (std::size_t n = passed.size(); n-- > 0 && problems.size() < kEvidenceCases;)
    if (passed[n].shape.q_elements() + passed[n].shape.kv_elements() < kEvidenceElements)
      problems.push_back(draw(passed[n].shape, passed[n].seed));
  return problems;
}

}  // namespace

double relative_distance(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, size = 0;
  std::size_t mismatched = 0, matched = 0;
  for (std::size_t n = 0; n < a.size(); ++n) {
    const bool a_finite = std::isfinite(a[n]), b_finite = std::isfinite(b[n]);
    if (a_finite != b_finite) {
      ++mismatched;
    } else if (!a_finite) {
      ++matched;
    } else {
      difference += (a[n] - b[n]) * (a[n] - b[n]);
      size += (a[n] * a[n] + b[n] * b[n]) / 2;
    }
  }
  const double values = size > 0 ? difference / size : 0;
  const double finiteness = static_cast<double>(mismatched) / static_cast<double>(a.size());
  return std::max(kNoise, std::sqrt(values + finiteness));
}

bool only_digits_lost(double ratio, double relative_error) {
  return ratio < kWrongFormula && relative_error < kLostPrecision;
}

Diagnosis diagnose(
    const Problem& problem, const float* O, const Comparison& comparison,
    const Evidence& evidence) {
  const int d = problem.shape.d;
  std::vector<std::int64_t> bad, right;
  for (std::size_t n = 0; n < comparison.rows.size(); ++n)
    (comparison.states[n] == RowState::kRight ? right : bad).push_back(comparison.rows[n]);
  std::vector<std::int64_t> rows = spread(bad, kBadRows);
  for (const std::int64_t row : spread(right, kRightRows)) rows.push_back(row);

  std::vector<double> output, reference;
  for (const std::int64_t row : rows) {
    output.insert(output.end(), O + row * d, O + (row + 1) * d);
    const ReferenceRow exact = reference_row(problem, row);
    reference.insert(reference.end(), exact.O.begin(), exact.O.end());
  }

  // The closest simulation of each class, among those that explain the output and all that is known.
  struct Match {
    double distance;
    const Mistake* mistake;
  };
  const double to_reference = relative_distance(output, reference);
  const std::vector<Problem> passed = draw_passed(evidence.passed);
  std::map<std::string, Match> best_of_class;
  for (const Mistake& mistake : evidence.bank) {
    const std::vector<float> simulated = simulate(mistake, problem, rows);
    if (simulated.empty()) continue;
    const double away = relative_distance(output, {simulated.begin(), simulated.end()});
    const auto found = best_of_class.find(mistake.slug);
    if (found != best_of_class.end() && away >= found->second.distance) continue;
    if (away <= 2 * kUnexplained * to_reference && ruled_out(mistake, problem.shape, passed))
      continue;
    best_of_class[mistake.slug] = {away, &mistake};
  }

  Match best{to_reference, nullptr};
  double runner_up = to_reference;
  for (const auto& [slug, match] : best_of_class) {
    if (match.distance < best.distance) {
      runner_up = best.distance;
      best = match;
    } else {
      runner_up = std::min(runner_up, match.distance);
    }
  }
  if (best.mistake == nullptr || best.distance > kUnexplained * to_reference) return {};
  return {best.mistake->slug, best.mistake->words, 2 * best.distance <= runner_up};
}

Diagnosis nan_origin(float value, protocol::Operation operation) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  for (int t = 0; t < protocol::kTensors; ++t) {
    const char* const name = protocol::tensor_name(t);
    if (protocol::is_input(operation, t) &&
        (bits & ~protocol::kQuietBit) == protocol::filler_bits(t))
      return {
          "read-out-of-bounds",
          format("memory just outside %s is read: this NaN was put there", name), true};
    if (protocol::is_output(operation, t) &&
        bits == (protocol::filler_bits(t) | protocol::kQuietBit))
      return {
          "read-before-write",
          format("%s is read before it is written, as in %s += x; it held NaN", name, name), true};
  }
  if (bits == 0xffffffffu)
    return {"uninitialised", "scratch or shared memory is read before it is written", true};
  return {};
}

RowsOf::RowsOf(const Case& shape, int tensor)
    : name(protocol::tensor_name(tensor)),
      heads(std::int64_t{shape.batch} * shape.heads),
      heads_of_batch(shape.heads),
      per_head(shape.N_q),
      counts_keys(shape.rows_are_keys(tensor)),
      index("q"),
      count("N_q") {
  if (!counts_keys) return;
  heads_of_batch = shape.kv_heads();
  heads = shape.batch * heads_of_batch;
  per_head = shape.N_k;
  index = "j";
  count = "N_k";
}

std::string describe_rows(const RowsOf& of, const Comparison& comparison) {
  // The rows that are not right, head by head.
  std::map<std::int64_t, std::vector<std::int64_t>> bad_rows_of_head;
  std::int64_t bad = 0;
  const std::int64_t total = static_cast<std::int64_t>(comparison.rows.size());
  RowState worst = RowState::kRight;
  for (std::size_t n = 0; n < comparison.rows.size(); ++n) {
    worst = std::max(worst, comparison.states[n]);
    if (comparison.states[n] == RowState::kRight) continue;
    bad_rows_of_head[comparison.rows[n] / of.per_head].push_back(comparison.rows[n] % of.per_head);
    ++bad;
  }
  const char* const what = worst == RowState::kNeverWritten ? "never written"
                           : worst == RowState::kNotFinite  ? "not finite"
                                                            : "wrong";
  std::string text =
      format("%s: %s of %s rows", what, with_commas(bad).c_str(), with_commas(total).c_str());

  const auto& first = bad_rows_of_head.begin()->second;
  const bool same_rows = std::all_of(
      bad_rows_of_head.begin(), bad_rows_of_head.end(),
      [&](const auto& entry) { return entry.second == first; });
  const bool all_rows = static_cast<std::int64_t>(first.size()) == of.per_head;
  if (bad < total && same_rows) {
    std::vector<std::int64_t> bad_heads;
    for (const auto& [head, rows] : bad_rows_of_head) bad_heads.push_back(head);
    const bool all_heads = static_cast<std::int64_t>(bad_heads.size()) == of.heads;
    if (!all_rows) text += format(", %s = %s", of.index, ranges(first).c_str());
    if (of.heads > 1)
      text += all_heads ? (all_rows ? "" : " of every head")
                        : format(
                              ", in heads %s of %lld (counted over all batches)",
                              ranges(bad_heads).c_str(), static_cast<long long>(of.heads));
  }

  // Columns, where the same ones are right in every row.
  std::vector<std::int64_t> bad_columns;
  for (std::size_t k = 0; k < comparison.bad_in_column.size(); ++k)
    if (comparison.bad_in_column[k] > 0) bad_columns.push_back(static_cast<std::int64_t>(k));
  if (bad_columns.size() < comparison.bad_in_column.size())
    text += format("; only elements k = %s of a row", ranges(bad_columns).c_str());
  return text;
}

Diagnosis diagnose_unwritten(const RowsOf& of, const Comparison& comparison) {
  // The first unwritten row of each head, if everything behind it is unwritten too and nothing before it.
  std::vector<std::int64_t> first_unwritten(of.heads, of.per_head);
  std::vector<std::int64_t> unwritten(of.heads, 0);
  for (std::size_t n = 0; n < comparison.rows.size(); ++n) {
    if (comparison.states[n] != RowState::kNeverWritten) continue;
    const std::int64_t head = comparison.rows[n] / of.per_head;
    const std::int64_t i = comparison.rows[n] % of.per_head;
    first_unwritten[head] = std::min(first_unwritten[head], i);
    ++unwritten[head];
  }
  bool tail = true, whole_heads = true;
  for (std::int64_t head = 0; head < of.heads; ++head) {
    tail = tail && first_unwritten[head] == first_unwritten[0] &&
           unwritten[head] == of.per_head - first_unwritten[head];
    whole_heads = whole_heads && (unwritten[head] == 0 || unwritten[head] == of.per_head);
  }
  const std::int64_t first = first_unwritten[0];
  const bool rest_is_right = comparison.wrong == 0 && comparison.not_finite == 0;
  if (tail && first > 0 && first < of.per_head && rest_is_right) {
    for (const int block : {32, 64, 128, 256, 512, 1024, 16, 8})
      if (of.per_head / block * block == first)
        return {
            "grid-too-small",
            format(
                "the grid has %s / (rows per block) blocks per head, rounded down: round up",
                of.count),
            true};
  }
  if (!tail && whole_heads && rest_is_right)
    return {"grid-misses-heads", "the grid does not cover every head of every batch", true};
  if (tail && first == 0 && rest_is_right &&
      comparison.never_written ==
          static_cast<std::int64_t>(comparison.rows.size() * comparison.bad_in_column.size()))
    return {"output-never-written", "the kernel writes nothing to " + of.name, true};
  return {};
}

}  // namespace judge
