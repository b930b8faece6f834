// One attention problem as the tests write it down: shape, scale, mask and family of inputs.
#pragma once

#include <cstdint>
#include <string>

namespace judge {

// Families of inputs. Each exposes mistakes that no other does; inputs.cpp builds them.
enum class Family {
  kRandn,      // Q, K and V are N(0, 1)
  kRising,     // scores grow along the keys, from 0 to 40
  kFalling,    // scores shrink along the keys, from 40 to 0
  kAllNeg200,  // every score is near -200
  kNeg2e4,     // every score is near -20,000
  kNeg6e4,     // every score is near -60,000
  kLogit1e4,   // scores of the order of 10,000
  kUniform,    // Q = 0: every key weighs the same
  kRowTag,     // V[j] = j + 1: the output is the mean index of the keys that were read
  kOneHot,     // every query belongs to one key
  kCancel,     // V alternates between +1000 and -1000
  kDenorm,     // V is smaller than the smallest normal float
};

inline constexpr Family kAllFamilies[] = {
    Family::kRandn,     Family::kRising, Family::kFalling, Family::kLogit1e4,
    Family::kAllNeg200, Family::kNeg2e4, Family::kNeg6e4,  Family::kUniform,
    Family::kRowTag,    Family::kOneHot, Family::kCancel,  Family::kDenorm,
};

// Families of dO, for the backward pass.
enum class Upstream {
  kRandn,    // N(0, 1)
  kEqualsO,  // dO = O: hides a D that is made of O or of dO alone
  kRowTag,   // dO[i] = i + 1: dV tells which queries were read
  kRising,   // rows that grow along the queries, from 1 to 10,000
  kOneRow,   // zero but for one query
  kCancel,   // alternates between +1000 and -1000
  kDenorm,   // smaller than the smallest normal float
};

inline constexpr Upstream kAllUpstreams[] = {
    Upstream::kRandn,  Upstream::kEqualsO, Upstream::kRowTag, Upstream::kRising,
    Upstream::kOneRow, Upstream::kCancel,  Upstream::kDenorm,
};

const char* upstream_name(Upstream upstream);   // "rowtag"
const char* upstream_words(Upstream upstream);  // "dO[i] = i + 1, so that dV tells ..."

const char* family_name(Family family);   // "rising"
const char* family_words(Family family);  // "scores that rise along the keys"

struct Case {
  int batch = 1;
  int heads = 1;
  int heads_kv = 0;  // 0: the same as heads
  int N_q = 0;
  int N_k = 0;
  int d = 64;
  double scale = 0;  // used if custom_scale; else 1 / sqrt(d)
  bool custom_scale = false;
  bool causal = false;
  Family inputs = Family::kRandn;
  Upstream upstream = Upstream::kRandn;  // of the backward pass
  int misaligned_floats = 0;             // moves pointers off their alignment,
  unsigned misaligned_mask = ~0u;        // those whose bit (of protocol::Tensor) is set

  int kv_heads() const { return heads_kv == 0 ? heads : heads_kv; }
  float softmax_scale() const;
  std::int64_t rows() const { return std::int64_t{batch} * heads * N_q; }
  // Elements of Q and O, and of K and V. A shape that no tensor can have gives 0.
  std::int64_t q_elements() const;
  std::int64_t kv_elements() const;
  // Of any protocol::Tensor.
  std::int64_t elements(int tensor) const;
  // Of any protocol::Tensor: elements of its last dimension, and whether the dimension before counts keys or queries.
  int row_length(int tensor) const;
  bool rows_are_keys(int tensor) const;

  // "N_q=33 N_k=65 d=64, scores that rise along the keys"; batch, heads, scale where they are not the usual ones.
  std::string words() const;
  std::string json() const;
};

// The same case with a softmax_scale of its own.
Case with_scale(Case c, double scale);

}  // namespace judge
