// The backward pass of attention in fp64, in numbered passes. This is the specification that gradients are held to.
//
// It uses Q, K, V and dO only, not the O and LSE that kernels get: these are the same numbers rounded to float32, which
// the error bound allows for, as it allows for kernels that compute them again.
#pragma once

#include <vector>

#include "inputs.h"

namespace judge {

// One tensor. An element x of float32 is right iff |x - value| <= 32 u growth E + floor (bound.h).
struct Exact {
  std::vector<double> value;
  std::vector<double> E;  // error per unit of rounding, of an algorithm that rounds everywhere once
  std::vector<double> floor;  // what flushing subnormal numbers to zero may change

  void resize(std::size_t count);
};

struct Gradients {
  Exact dQ;      // [batch, heads, N_q, d]
  Exact dK, dV;  // [batch, heads_kv, N_k, d]
  // Only if they were asked for:
  Exact delta;   // [batch, heads, N_q]
  Exact dP, dS;  // [batch, heads, N_q, N_k], 0 where a key is hidden

  const Exact& tensor(int number) const;  // of protocol::Tensor
};

Gradients reference_gradients(const Problem& problem, bool with_stages = false);

}  // namespace judge
