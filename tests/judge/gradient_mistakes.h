// Backward passes that are wrong on purpose, and which of them explains a wrong gradient.
#pragma once

#include <string>
#include <vector>

#include "bound.h"
#include "diagnosis.h"
#include "gradient_reference.h"
#include "inputs.h"
#include "misconceptions.h"

namespace judge {

// What is wrong. The defaults are right.
struct GradientMistake {
  enum class Delta { kRight, kMissing, kAdded, kFromO, kFromGradO, kHeadZero };
  enum class Lse { kRight, kMissing, kBaseTwo, kMixedBases, kHeadZero };
  enum class Jacobian { kRight, kWithoutP, kDiagonal };
  enum class FromWhat { kP, kGradS, kGradP };

  const char* slug = "";
  std::string words{};               // completes "looks like: "
  std::string words_for_any_tile{};  // where several tile_of explain the same numbers

  int forward_scale = 1;           // so often is softmax_scale in the scores,
  int dQ_scale = 1, dK_scale = 1;  // and in the gradients
  bool own_scale = false;          // 1 / sqrt(d) whatever softmax_scale is
  int dP_scale = 0;                // so often is softmax_scale in dP
  Delta delta = Delta::kRight;
  Lse lse = Lse::kRight;
  Jacobian jacobian = Jacobian::kRight;
  Mask mask = Mask::kContract;  // those that compare global positions
  FromWhat dV_from = FromWhat::kP;
  bool dV_with_O = false;
  bool dQ_with_Q = false, dK_with_K = false;  // N_q = N_k only
  bool transposed = false;                    // P and dS, N_q = N_k only
  bool swapped = false;                       // dQ and dK, N_q = N_k only
  int whole_tiles_of = 0;                     // the sums leave out a last partial tile of this size
  int last_tile_of = 0;                       // the sums are those of the last tile
  bool kv_head_zero = false;                  // every head reads K and V of the first one
};

std::vector<GradientMistake> gradient_mistakes();

// One tensor of a backward pass with this mistake, by number of protocol::Tensor. Empty if the mistake makes no difference
// to the case, or would cost too much to simulate.
std::vector<double> simulate(const GradientMistake& mistake, const Problem& problem, int tensor);

// Names the mistake behind a wrong tensor, if one of the list explains it.
Diagnosis diagnose_gradient(
    const Problem& problem, const Exact& exact, int tensor, const float* got,
    const Comparison& comparison);

}  // namespace judge
