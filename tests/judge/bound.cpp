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

double growth(int N_k) {
  return N_k > kLinearKeys ? std::sqrt(static_cast<double>(N_k) / kLinearKeys) : 1;
}

// Judges one element and enters it into the result. Returns its state.
RowState enter(
    const Element& element, double bound, std::uint32_t filler_bits, Comparison* result) {
  if (std::bit_cast<std::uint32_t>(element.got) == filler_bits) {
    if (result->never_written++ == 0) result->first_never_written = element;
    ++result->bad_in_column[element.k];
    return RowState::kNeverWritten;
  }
  if (static_cast<double>(element.got) == element.expected) return RowState::kRight;  // also -inf
  if (!std::isfinite(element.got)) {
    if (result->not_finite++ == 0) result->first_not_finite = element;
    ++result->bad_in_column[element.k];
    return RowState::kNotFinite;
  }
  const double error = std::abs(static_cast<double>(element.got) - element.expected);
  const double ratio = error / bound;
  if (result->worst.row < 0 || ratio > result->worst.ratio) {
    result->worst = element;
    result->worst.ratio = ratio;
  }
  if (error <= bound) return RowState::kRight;
  ++result->wrong;
  ++result->bad_in_column[element.k];
  return RowState::kWrong;
}

std::vector<std::int64_t> all_rows(const Problem& problem) {
  std::vector<std::int64_t> rows(problem.shape.rows());
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

}  // namespace

double error_bound(const ReferenceRow& reference, int k, int N_k) {
  const double floor = kSmallestNormal * (1 + reference.sum_abs_V[k]);
  return kUnits * kRounding * reference.E[k] * growth(N_k) + floor;
}

double lse_error_bound(const ReferenceRow& reference, int N_k) {
  return kUnits * kRounding * reference.LSE_E * growth(N_k);
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
      const Element element{row, k, O[row * d + k], reference.O[k], 0};
      const double bound = error_bound(reference, k, problem.shape.N_k);
      state = std::max(state, enter(element, bound, filler_bits, &result));
    }
    result.states.push_back(state);
  }
  return result;
}

Comparison compare(const Problem& problem, const float* O, std::uint32_t filler_bits) {
  return compare_rows(problem, O, filler_bits, all_rows(problem));
}

Comparison compare_gradient(
    const Case& shape, const Gradients& exact, int tensor, const float* got,
    std::uint32_t filler_bits) {
  const Exact& wanted = exact.tensor(tensor);
  const int length = shape.row_length(tensor);
  // Sums over the queries, or over the keys.
  const double grown = growth(shape.rows_are_keys(tensor) ? shape.N_q : shape.N_k);
  Comparison result;
  result.bad_in_column.assign(length, 0);
  const auto rows = static_cast<std::int64_t>(wanted.value.size()) / std::max(length, 1);
  for (std::int64_t row = 0; row < rows; ++row) {
    RowState state = RowState::kRight;
    for (int k = 0; k < length; ++k) {
      const std::int64_t n = row * length + k;
      const Element element{row, k, got[n], wanted.value[n], 0};
      const double bound = kUnits * kRounding * wanted.E[n] * grown + wanted.floor[n];
      state = std::max(state, enter(element, bound, filler_bits, &result));
    }
    result.rows.push_back(row);
    result.states.push_back(state);
  }
  return result;
}

Comparison compare_lse(const Problem& problem, const float* LSE, std::uint32_t filler_bits) {
  Comparison result;
  result.rows = all_rows(problem);
  result.bad_in_column.assign(1, 0);
  for (const std::int64_t row : result.rows) {
    const ReferenceRow reference = reference_row(problem, row);
    const Element element{row, 0, LSE[row], reference.LSE, 0};
    const double bound = lse_error_bound(reference, problem.shape.N_k);
    result.states.push_back(enter(element, bound, filler_bits, &result));
  }
  return result;
}

}  // namespace judge
