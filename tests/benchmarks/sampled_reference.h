// The right answers at some rows of a problem that is too large to be computed whole in fp64.
//
// Every head has rows of O, LSE and dQ; the first and the last head have more of them, and rows of dK and dV too, because
// these need every query of the head. Up to kExactQueries of them everything comes from fp64 alone. Beyond, the LSE and
// the D of those queries come from the outputs of a forward pass that has been compared, and only the error bound of
// dK and dV is an estimate, from a sample of keys.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "judge/bound.h"
#include "judge/gradient_reference.h"
#include "judge/inputs.h"

namespace bench {

inline constexpr int kExactQueries = 4096;

// Copies floats [first, first + count) of a tensor (protocol::Tensor) to host memory. False if it cannot.
using Read = std::function<bool(int tensor, std::int64_t first, std::int64_t count, float* to)>;

// What a comparison of one tensor's sampled rows found.
struct Outcome {
  std::int64_t elements = 0;
  std::int64_t wrong = 0, not_finite = 0, never_written = 0;
  double worst = 0;  // largest error / bound among finite elements
  std::int64_t row =
      -1;  // of the first element that is not right, else of the worst; over batch, head and row
  int k = 0;
  float got = 0;
  double expected = 0;
  bool read = true;  // false if the tensor could not be read

  bool accepted() const {
    return read && elements > 0 && wrong == 0 && not_finite == 0 && never_written == 0;
  }
};

class SampledReference {
 public:
  // Chooses the rows. The shape has as many heads of K and V as of Q.
  SampledReference(const judge::Case& shape, std::uint64_t seed);

  // Reads Q, K and V and computes the rows of O and LSE.
  bool compute_forward(const Read& read);

  // Reads dO as well, and beyond kExactQueries O and LSE; computes the rows of dQ, dK and dV.
  bool compute_gradients(const Read& read);

  // Compares one output, O, LSE, dQ, dK or dV, with the rows that have been computed.
  Outcome compare(int tensor, std::uint32_t filler_bits, const Read& read) const;

  std::int64_t sampled_queries() const;
  std::int64_t sampled_keys() const;

 private:
  struct Head {
    std::int64_t number = 0;  // over batch and head
    judge::Problem problem;   // of this head alone
    std::vector<std::int64_t> queries, keys;
    // The right rows and their bounds. O and LSE of the queries lie where dQ and delta would: they have the same
    // shapes. dQ is that of the queries, dK and dV are those of the keys.
    judge::Gradients forward, gradients;
  };

  bool read_inputs(int first_tensor, int last_tensor, const Read& read);

  judge::Case shape_;
  std::vector<Head> heads_;
};

}  // namespace bench
