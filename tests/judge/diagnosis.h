// Names the misconception behind a wrong output, or at least describes which rows and columns are wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bound.h"
#include "inputs.h"
#include "misconceptions.h"

namespace judge {

struct Diagnosis {
  std::string slug;        // "" if nothing fits
  std::string words;       // completes "looks like: "
  bool confident = false;  // the best match is twice as close as the best of any other class
};

// A problem as it can be drawn again.
struct DrawnCase {
  Case shape;
  std::uint64_t seed = 0;
};

// What is known beside the wrong output.
struct Evidence {
  std::vector<Mistake> bank;      // what may be wrong
  std::vector<DrawnCase> passed;  // what the same kernel got right before
};

// Compares a wrong output with every mistake of the bank and with the reference itself. Mistakes that would have
// spoilt a case that passed are ruled out.
Diagnosis diagnose(
    const Problem& problem, const float* O, const Comparison& comparison, const Evidence& evidence);

// Where a NaN in the output came from, read from its bits. This works on devices that keep the payload of a NaN, as
// x86 does.
Diagnosis nan_origin(float value);

// "rows 96..99 of every head were never written", "wrong: 33 of 66 rows, all rows of heads 1, 2; right: ...".
std::string describe_rows(const Case& shape, const Comparison& comparison);

// The reason for rows that were never written, if they are the last rows of every head or whole heads.
Diagnosis diagnose_unwritten(const Case& shape, const Comparison& comparison);

}  // namespace judge
