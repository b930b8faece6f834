#include "examine_gradients.h"

#include <cmath>
#include <map>

#include "bound.h"
#include "gradient_mistakes.h"
#include "gradient_reference.h"
#include "text.h"

namespace judge {
namespace {

// "dV is right, dK and dQ are wrong"
std::string summary(const std::map<int, Comparison>& comparisons) {
  std::vector<std::string> right, wrong;
  for (const auto& [tensor, comparison] : comparisons)
    (comparison.accepted() ? right : wrong).push_back(protocol::tensor_name(tensor));
  const auto words = [](const std::vector<std::string>& names, const char* what) {
    std::string text;
    for (std::size_t n = 0; n < names.size(); ++n)
      text += (n == 0 ? "" : n + 1 < names.size() ? ", " : " and ") + names[n];
    return text + (names.size() == 1 ? " is " : " are ") + what;
  };
  if (right.empty()) return words(wrong, "wrong");
  return words(right, "right") + ", " + words(wrong, "wrong");
}

// The relative error of the rows that are not right.
double relative_error(const Exact& exact, const float* got, const Comparison& comparison) {
  std::vector<double> output, wanted;
  const std::size_t length = comparison.bad_in_column.size();
  for (std::size_t n = 0; n < comparison.rows.size(); ++n) {
    if (comparison.states[n] == RowState::kRight) continue;
    for (std::size_t k = n * length; k < (n + 1) * length; ++k) {
      output.push_back(got[k]);
      wanted.push_back(exact.value[k]);
    }
  }
  return relative_distance(output, wanted);
}

[[noreturn]] void fail(
    const Problem& problem, const Answer& answer, const Gradients& exact, int tensor,
    const Comparison& comparison, const std::string& about_all) {
  const Case& c = problem.shape;
  const float* const got = answer.tensor(tensor);
  const RowsOf rows(c, tensor);
  const std::string pattern = describe_rows(rows, comparison) + about_all;
  const auto name = [&](const Element& element) {
    return element_name(c, tensor, element.row, element.k);
  };
  const auto failure = [&](const char* kind, const std::string& details,
                           const Diagnosis& diagnosis) {
    return Failure{kind, c.words(), details + "\n" + pattern, diagnosis, c.json()};
  };

  if (comparison.never_written > 0)
    throw failure(
        "never written",
        name(comparison.first_never_written) +
            " still holds the NaN that was there before the launch",
        diagnose_unwritten(rows, comparison));
  const Diagnosis mistake =
      diagnose_gradient(problem, exact.tensor(tensor), tensor, got, comparison);
  if (comparison.not_finite > 0) {
    const Element& first = comparison.first_not_finite;
    const Diagnosis origin = nan_origin(first.got, answer.request.operation);
    std::string details = format(
        "%s = %s, expected %.5g", name(first).c_str(), number_words(first.got).c_str(),
        first.expected);
    if (!rows.counts_keys && problem.visible_keys(first.row) == 0)
      details += "\nthis row sees no key: its LSE is -inf, and all its gradients are 0";
    throw failure("not finite", details, origin.slug.empty() ? mistake : origin);
  }
  const Element& worst = comparison.worst;
  const bool precision =
      !mistake.confident &&
      only_digits_lost(worst.ratio, relative_error(exact.tensor(tensor), got, comparison));
  std::string details = format(
      "%s = %.5g, expected %.5g   (error %.2g times the rounding bound)", name(worst).c_str(),
      static_cast<double>(worst.got), worst.expected, worst.ratio);
  if (precision) details += "\nall errors are small: the formula is right, digits are lost";
  throw failure(precision ? "precision" : "wrong values", details, mistake);
}

// all: what the message tells about; wanted: what has to be right.
void examine(
    const Problem& problem, const Answer& answer, const Gradients& exact,
    const std::vector<int>& all, const std::vector<int>& wanted) {
  std::map<int, Comparison> comparisons;
  for (const int tensor : all)
    comparisons.emplace(
        tensor,
        compare_gradient(
            problem.shape, exact, tensor, answer.tensor(tensor), protocol::filler_bits(tensor)));
  for (const int tensor : wanted)
    if (!comparisons.at(tensor).accepted())
      fail(
          problem, answer, exact, tensor, comparisons.at(tensor),
          all.size() > 1 ? "\n" + summary(comparisons) : "");
}

}  // namespace

void examine_gradients(
    const Problem& problem, const Answer& answer, const std::vector<int>& wanted) {
  examine(
      problem, answer, reference_gradients(problem),
      {protocol::kGradV, protocol::kGradK, protocol::kGradQ}, wanted);
}

void examine_stages(const Problem& problem, const Answer& answer, const std::vector<int>& wanted) {
  examine(problem, answer, reference_gradients(problem, true), wanted, wanted);
}

}  // namespace judge
