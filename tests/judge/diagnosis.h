// Names the misconception behind a wrong output, or at least describes which rows and columns are wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bound.h"
#include "inputs.h"
#include "misconceptions.h"
#include "runner/protocol.h"

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

// Relative distance of two sets of numbers, 1e-6 to about 1. Non-finite numbers equal each other and nothing else.
double relative_distance(const std::vector<double>& a, const std::vector<double>& b);

// True if errors of this size, the largest one relative to the bound and all of them relative to the values, come from a
// loss of digits rather than from a wrong formula.
bool only_digits_lost(double ratio, double relative_error);

// Where a NaN in an output of this operation came from, read from its bits. This works on devices that keep the payload
// of a NaN, as x86 does.
Diagnosis nan_origin(float value, protocol::Operation operation = protocol::Operation::kForward);

// The rows of one tensor: how many heads there are, how many rows each of them has, and what these are called.
struct RowsOf {
  RowsOf(const Case& shape, int tensor);
  std::string name;    // "O"
  std::int64_t heads;  // over all batches
  std::int64_t heads_of_batch;
  std::int64_t per_head;      // N_q, or N_k
  bool counts_keys;           // not queries
  const char *index, *count;  // "q", "N_q", or "j", "N_k"
};

// "rows 96..99 of every head were never written", "wrong: 33 of 66 rows, all rows of heads 1, 2; right: ...".
std::string describe_rows(const RowsOf& rows, const Comparison& comparison);

// The reason for rows that were never written, if they are the last rows of every head or whole heads.
Diagnosis diagnose_unwritten(const RowsOf& rows, const Comparison& comparison);

}  // namespace judge
