// A bank of attentions that are wrong on purpose, one per misconception.
//
// Each is simulated in float32, as a kernel with that mistake would compute it, overflow included. diagnosis.h
// compares a wrong output with all of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inputs.h"

namespace judge {

enum class Layout {
  kContract,      // [batch, heads, seq_len, d]
  kTransposed,    // [batch, heads, d, seq_len]
  kHeadsInside,   // [batch, seq_len, heads, d]
  kHeadsOutside,  // [heads, batch, seq_len, d]
  kRowsN,         // rows start seq_len elements apart, not d
  kHeadZero,      // every head reads head 0 of its batch
  kBatchZero,     // every batch reads batch 0
  kOtherSeqLen,  // the heads are as far apart as those of the tensor with the other sequence length
};

enum class Maximum { kExact, kNone, kTooHigh, kUnscaled };
enum class Denominator { kSum, kNone, kCount, kLastTile };

// What is wrong. The defaults are right.
struct Mistake {
  const char* slug = "";
  std::string words{};  // completes "looks like: "

  double scale_factor = 1;  // on top of softmax_scale
  bool own_scale = false;   // 1 / sqrt(d) whatever softmax_scale is
  bool scale_missing = false;
  bool scale_twice = false;
  Layout q_layout = Layout::kContract;
  Layout kv_layout = Layout::kContract;
  bool only_k = false, only_v = false;  // restricts kv_layout to one of the two
  bool output_heads_inside = false;     // O is written as [batch, seq_len, heads, d]
  bool swap_k_and_v = false;
  Maximum maximum = Maximum::kExact;
  float maximum_start = 0;            // for kTooHigh
  bool zero_without_weights = false;  // 0 instead of 0 / 0 where every weight underflows
  bool base_two = false;              // exp2 instead of exp
  Denominator denominator = Denominator::kSum;
  bool over_queries = false;  // softmax along the wrong axis
  bool causal = false;        // a mask that nobody asked for
  bool equal_weights = false;
  int skip_first_keys = 0;
  int skip_last_keys = 0;
  int skip_last_values = 0;   // in the weighted sum only
  int skip_last_weights = 0;  // in the denominator only
  int whole_tiles_of = 0;     // ignores the keys of a last partial tile of this size
  int padded_to = 0;          // counts phantom keys with score 0, up to a multiple of this
  bool keys_up_to_N_q = false;
  int dot_multiple_of = 0;  // the dot product ends at a multiple of this
  int dot_at_most = 0;      // the dot product ends here
};

// All mistakes of a first, naive kernel.
std::vector<Mistake> naive_mistakes();

// The output rows of a kernel with this mistake, [rows.size(), d]. Empty if the mistake makes no difference to
// the computation of this case, or would cost too much to simulate.
std::vector<float> simulate(
    const Mistake& mistake, const Problem& problem, const std::vector<std::int64_t>& rows);

}  // namespace judge
