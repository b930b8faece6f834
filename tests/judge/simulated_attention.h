// Attention in float32 on the host, right and wrong: what kernels would compute, for the tests of the judge.
#pragma once

#include <string>
#include <vector>

#include "judge/inputs.h"

namespace judge {

struct Variant {
  std::string name;
  std::vector<float> (*run)(const Problem&);
};

// Different ways to compute the same thing. None of them may ever be rejected.
std::vector<Variant> right_variants();

// Kernels that a lazy test lets pass. Each must be rejected on some family of inputs.
std::vector<Variant> wrong_variants();

struct LseVariant {
  std::string name;
  std::vector<float> (*run)(const Problem&);  // LSE
};

// The same for LSE; the mask of the problem is respected.
std::vector<LseVariant> right_lse_variants();
std::vector<LseVariant> wrong_lse_variants();

}  // namespace judge
