// Draws the inputs of a case: deterministic, from one seed.
#pragma once

#include <cstdint>
#include <vector>

#include "attention_case.h"

namespace judge {

struct Inputs {
  std::vector<float> Q;  // [batch, heads, N_q, d]
  std::vector<float> K;  // [batch, heads_kv, N_k, d]
  std::vector<float> V;  // [batch, heads_kv, N_k, d]
  // For the backward pass: what a forward pass has returned, and the gradient of its output.
  std::vector<float> O;    // [batch, heads, N_q, d]
  std::vector<float> LSE;  // [batch, heads, N_q]
  std::vector<float> dO;   // [batch, heads, N_q, d]

  // By number of protocol::Tensor.
  const std::vector<float>& tensor(int number) const;
};

// A case with its data.
struct Problem {
  Case shape;
  Inputs inputs;
  std::uint64_t seed = 0;  // what the inputs were drawn from

  // Rows of one head. row counts over batch, head and query; the key/value head follows from it.
  std::int64_t kv_head(std::int64_t row) const;
  const float* q_row(std::int64_t row) const;   // [d]
  const float* K_head(std::int64_t row) const;  // [N_k, d]
  const float* V_head(std::int64_t row) const;  // [N_k, d]
  // Keys 0 .. visible_keys - 1 are seen by a row: all of them without the causal mask.
  int visible_keys(std::int64_t row) const;
};

Problem draw(const Case& shape, std::uint64_t seed);

// The same with O and LSE, the reference's in float32, and dO of the family that the case asks for.
Problem draw_backward(const Case& shape, std::uint64_t seed);

}  // namespace judge
