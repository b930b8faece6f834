#include "lse_diagnosis.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "reference.h"

namespace judge {
namespace {

constexpr std::size_t kMostRows = 64;
constexpr double kClose = 1e-3;  // relative, and absolute below 1
constexpr double kLog2E = 1.4426950408889634;

// What a mistake has at hand in one row.
struct Row {
  double m, l;        // right
  double m_unscaled;  // the largest dot product
  double scale;
};

struct LseMistake {
  const char* slug;
  const char* words;
  double (*value)(const Row&);
};

constexpr LseMistake kMistakes[] = {
    {"lse-base-two", "LSE is a logarithm to base 2; it is natural, log2(x) * ln(2)",
     [](const Row& r) { return (r.m + std::log(r.l)) * kLog2E; }},
    {"lse-mixed-bases", "m is in natural units and log2(l) is added to it",
     [](const Row& r) { return r.m + std::log2(r.l); }},
    {"lse-mixed-bases", "m is still multiplied by log2(e) when ln(l) is added to it",
     [](const Row& r) { return r.m * kLog2E + std::log(r.l); }},
    {"lse-m-only", "LSE is the maximum m alone: ln(l) is missing",
     [](const Row& r) { return r.m; }},
    {"lse-l-only", "LSE is ln(l) alone: the maximum m is missing",
     [](const Row& r) { return std::log(r.l); }},
    {"lse-without-log", "LSE is l, without the logarithm and the maximum",
     [](const Row& r) { return r.l; }},
    {"lse-without-log", "LSE is m + l: the logarithm of l is missing",
     [](const Row& r) { return r.m + r.l; }},
    {"lse-without-log", "LSE is the sum of the exponentials, without the logarithm",
     [](const Row& r) { return std::exp(r.m) * r.l; }},
    {"lse-wrong-sign", "ln(l) is subtracted from m; it is added",
     [](const Row& r) { return r.m - std::log(r.l); }},
    {"lse-wrong-sign", "LSE has the wrong sign",
     [](const Row& r) { return -(r.m + std::log(r.l)); }},
    {"lse-unscaled", "m is the maximum of the scores before softmax_scale",
     [](const Row& r) { return r.m_unscaled + std::log(r.l); }},
    {"lse-unscaled", "LSE is divided by softmax_scale",
     [](const Row& r) { return (r.m + std::log(r.l)) / r.scale; }},
    {"lse-scaled-twice", "m has been multiplied by softmax_scale once more",
     [](const Row& r) { return r.m * r.scale + std::log(r.l); }},
    {"lse-scaled-twice", "LSE has been multiplied by softmax_scale",
     [](const Row& r) { return (r.m + std::log(r.l)) * r.scale; }},
};

// What becomes of l when the running maximum rises from m to m_new.
struct RescaleMistake {
  const char* slug;
  const char* words;
  double (*factor)(double m, double m_new);
};

constexpr RescaleMistake kRescaleMistakes[] = {
    {"rescale-inverted",
     "l is multiplied by exp(m_new - m_old); a larger maximum can only make what came before "
     "smaller: exp(m_old - m_new)",
     [](double m, double m_new) { return std::exp(m_new - m); }},
    {"l-not-rescaled", "l is not rescaled when the running maximum rises",
     [](double, double) { return 1.0; }},
};

constexpr int kTiles[] = {1, 8, 16, 32, 64, 128};  // keys that are folded into m and l at once

// The scores of the keys that a row sees.
std::vector<double> scores(const Problem& problem, std::int64_t row) {
  const int d = problem.shape.d;
  const float* const q = problem.q_row(row);
  const float* const K = problem.K_head(row);
  std::vector<double> s(problem.visible_keys(row));
  for (std::size_t j = 0; j < s.size(); ++j)
    s[j] = problem.shape.softmax_scale() * std::inner_product(q, q + d, K + j * d, 0.0);
  return s;
}

// m + ln l, with l summed up tile by tile.
double running_lse(const std::vector<double>& s, std::size_t tile, const RescaleMistake& mistake) {
  double m = s[0], l = 0;
  for (std::size_t first = 0; first < s.size(); first += tile) {
    const std::size_t end = std::min(first + tile, s.size());
    const double m_new = std::max(m, *std::max_element(s.begin() + first, s.begin() + end));
    if (first > 0) l *= mistake.factor(m, m_new);
    for (std::size_t j = first; j < end; ++j) l += std::exp(s[j] - m_new);
    m = m_new;
  }
  return m + std::log(l);
}

// The row whose value lands in this one if LSE is written as [batch, N_q, heads].
std::int64_t row_behind(const Case& c, std::int64_t written) {
  const std::int64_t h = written % c.heads, i = written / c.heads % c.N_q;
  return (written / c.heads / c.N_q * c.heads + h) * c.N_q + i;
}

bool close(double got, double expected) {
  if (!std::isfinite(got) || !std::isfinite(expected)) return got == expected;
  return std::abs(got - expected) <= kClose * std::max(1.0, std::abs(expected));
}

}  // namespace

Diagnosis diagnose_lse(const Problem& problem, const float* LSE, const Comparison& comparison) {
  const Case& c = problem.shape;
  std::vector<std::int64_t> rows;  // that see keys, evenly spread
  bool only_empty_rows = true;
  const std::size_t step = comparison.rows.size() / kMostRows + 1;
  for (std::size_t n = 0; n < comparison.rows.size(); ++n) {
    const bool empty = problem.visible_keys(comparison.rows[n]) == 0;
    if (comparison.states[n] != RowState::kRight) only_empty_rows = only_empty_rows && empty;
    if (!empty && n % step == 0) rows.push_back(comparison.rows[n]);
  }
  if (only_empty_rows) return {"lse-empty-row", "rows that see no key are not treated apart", true};

  Diagnosis best;
  bool rivals = false;
  // value(n) is what the mistake gives in the n-th of the rows.
  const auto enter = [&](const char* slug, const char* words, auto value) {
    for (std::size_t n = 0; n < rows.size(); ++n)
      if (!close(LSE[rows[n]], value(n))) return;
    if (best.slug.empty()) best = {slug, words, true};
    rivals = rivals || best.slug != slug;
  };
  std::vector<Row> facts;
  for (const std::int64_t row : rows) {
    const ReferenceRow reference = reference_row(problem, row);
    const double scale = c.softmax_scale();
    const double extreme = scale > 0 ? reference.s_max : reference.s_min;
    facts.push_back(
        {reference.s_max, std::exp(reference.LSE - reference.s_max), extreme / scale, scale});
  }
  for (const LseMistake& mistake : kMistakes)
    enter(mistake.slug, mistake.words, [&](std::size_t n) { return mistake.value(facts[n]); });
  std::vector<std::vector<double>> s;
  for (const std::int64_t row : rows) s.push_back(scores(problem, row));
  for (const RescaleMistake& mistake : kRescaleMistakes)
    for (const int tile : kTiles)
      enter(mistake.slug, mistake.words, [&](std::size_t n) {
        return running_lse(s[n], tile, mistake);
      });
  if (c.heads > 1)
    enter(
        "lse-heads-inside",
        "LSE is written as [batch, seq_len, heads]; it is [batch, heads, seq_len]",
        [&](std::size_t n) { return reference_row(problem, row_behind(c, rows[n])).LSE; });
  best.confident = best.confident && !rivals;
  return best;
}

}  // namespace judge
