#include "bound.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

namespace judge {
namespace {

constexpr double kRounding = 0x1p-24;  // half a unit in the last place of 1
constexpr double kUnits = 32;
constexpr int kLinearKeys = 4096;  // up to here the bound does not depend on the number of keys
constexpr double kSmallestNormal = 0x1p-126;

}  // namespace

double error_bound(const ReferenceRow& reference, int k, int N_k) {
  const double growth = N_k > kLinearKeys ? std::sqrt(static_cast<double>(N_k) / kLinearKeys) : 1;
  const double floor = kSmallestNormal * (1 + reference.sum_abs_V[k]);
  return kUnits * kRounding * reference.E[k] * growth + floor;
}

Comparison compare_rows(
    const Problem& problem, const float* O, std::uint32_t filler_bits,
    std::vector<std::int64_t> rows) {
  const int d = problem.shape.d;
  Comparison result;
  result.rows = std::move(rows);
  result.bad_in_column.assign(d, 0);
  for (const std::int64_t row : result.rows) {
    const ReferenceRow reference = reference_row(problem, row);
    RowState state = RowState::kRight;
    for (int k = 0; k < d; ++k) {
      const float got = O[row * d + k];
      const Element element{row, k, got, reference.O[k], 0};
      if (std::bit_cast<std::uint32_t>(got) == filler_bits) {
        if (result.never_written++ == 0) result.first_never_written = element;
        state = std::max(state, RowState::kNeverWritten);
        ++result.bad_in_column[k];
      } else if (!std::isfinite(got)) {
        if (result.not_finite++ == 0) result.first_not_finite = element;
        state = std::max(state, RowState::kNotFinite);
        ++result.bad_in_column[k];
      } else {
        const double error = std::abs(static_cast<double>(got) - reference.O[k]);
        const double bound = error_bound(reference, k, problem.shape.N_k);
        const double ratio = error / bound;
        if (result.worst.row < 0 || ratio > result.worst.ratio) {
          result.worst = element;
          result.worst.ratio = ratio;
        }
        if (!(error <= bound)) {
          ++result.wrong;
          state = std::max(state, RowState::kWrong);
          ++result.bad_in_column[k];
        }
      }
    }
    result.states.push_back(state);
  }
  return result;
}

Comparison compare(const Problem& problem, const float* O, std::uint32_t filler_bits) {
  std::vector<std::int64_t> rows(problem.shape.rows());
  std::iota(rows.begin(), rows.end(), 0);
  return compare_rows(problem, O, filler_bits, std::move(rows));
}

}  // namespace judge
