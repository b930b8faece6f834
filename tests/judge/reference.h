// Attention in fp64, one row at a time, in numbered passes. This is the specification that kernels are held to.
#pragma once

#include <cstdint>
#include <vector>

#include "inputs.h"

namespace judge {

struct ReferenceRow {
  std::vector<double> O;  // [d] the exact output
  std::vector<double>
      E;  // [d] error per unit of rounding, of an algorithm that rounds everywhere once
  std::vector<double> sum_abs_V;  // [d] sum over the keys of |v_jk|
  double s_min = 0, s_max = 0;    // smallest and largest score
  double LSE = 0;                 // log-sum-exp of the scores; -inf for a row that sees no key
  double LSE_E = 0;               // its error per unit of rounding, as E is that of O
};

// row counts over batch, head and query.
ReferenceRow reference_row(const Problem& problem, std::int64_t row);

}  // namespace judge
