// Judges an output element by element: a componentwise rounding bound around the fp64 reference.
//
// With u = 2^-24, an element is accepted iff it is finite and |o - reference| <= 32 u E, where E (reference.h)
// bounds what one rounding of every operation can do. Above 4,096 keys the bound grows with sqrt(N_k / 4096).
// A floor lets a device flush subnormal numbers to zero. Correct float32 algorithms stay below 10 u E; the
// weakest bug that was measured reached 2,177 u E. LSE is judged in the same way, with an E of its own, except that
// a row that sees no key has to give -inf exactly.
#pragma once

#include <cstdint>
#include <vector>

#include "gradient_reference.h"
#include "inputs.h"
#include "reference.h"

namespace judge {

// Largest accepted |o - reference| of output k of a row.
double error_bound(const ReferenceRow& reference, int k, int N_k);
double lse_error_bound(const ReferenceRow& reference, int N_k);

enum class RowState : unsigned char { kRight, kWrong, kNotFinite, kNeverWritten };

struct Element {
  std::int64_t row = -1;  // over batch, head and query
  int k = 0;
  float got = 0;
  double expected = 0;
  double ratio = 0;  // error / bound
};

struct Comparison {
  std::vector<std::int64_t> rows;  // that were compared, ascending
  std::vector<RowState> states;    // of each: the worst state among its elements
  std::vector<std::int64_t>
      bad_in_column;  // [d], of LSE [1]: how many of the rows are not right there
  std::int64_t wrong = 0, not_finite = 0, never_written = 0;  // elements
  Element worst;                                              // largest ratio among finite elements
  Element first_not_finite;
  Element first_never_written;

  bool accepted() const { return wrong == 0 && not_finite == 0 && never_written == 0; }
};

// Compares rows of O, [batch, heads, N_q, d]. filler_bits is what O held before the launch, so an element with
// exactly these bits was never written.
Comparison compare_rows(
    const Problem& problem, const float* O, std::uint32_t filler_bits,
    std::vector<std::int64_t> rows);

// All rows.
Comparison compare(const Problem& problem, const float* O, std::uint32_t filler_bits);

// One output of the backward pass, or of its stages, by number of protocol::Tensor. Rows count over the tensor's first
// three dimensions; an element's k is the number in the last one.
Comparison compare_gradient(
    const Case& shape, const Gradients& exact, int tensor, const float* got,
    std::uint32_t filler_bits);

// The same for LSE, [batch, heads, N_q]; an element's k is 0.
Comparison compare_lse(const Problem& problem, const float* LSE, std::uint32_t filler_bits);

}  // namespace judge
