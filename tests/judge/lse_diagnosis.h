// Names the misconception behind a wrong LSE.
#pragma once

#include "bound.h"
#include "diagnosis.h"
#include "inputs.h"

namespace judge {

// Compares a wrong LSE, [batch, heads, N_q], with what the usual mistakes give. Confident if one kind of mistake, and
// no other, explains every row that was looked at.
Diagnosis diagnose_lse(const Problem& problem, const float* LSE, const Comparison& comparison);

}  // namespace judge
