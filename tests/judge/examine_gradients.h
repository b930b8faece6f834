// Looks at the tensors that the backward pass returns, and at those of its stages, and throws Failure for the first one
// that is wrong. To be called after examine_errors() and examine_memory() (examine.h).
#pragma once

#include <vector>

#include "examine.h"

namespace judge {

// dV, dK and dQ in this order, or only some of them, by number of protocol::Tensor. The message says of each of the three
// whether it is right.
void examine_gradients(
    const Problem& problem, const Answer& answer,
    const std::vector<int>& wanted = {protocol::kGradV, protocol::kGradK, protocol::kGradQ});

// delta, dP or dS, or several, of an answer to Operation::kStages.
void examine_stages(const Problem& problem, const Answer& answer, const std::vector<int>& wanted);

}  // namespace judge
