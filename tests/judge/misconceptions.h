// Attention that is wrong on purpose: one mistake, simulated.
//
// Each is computed in float32, as a kernel with that mistake would do it, overflow included. mistake_bank.h lists
// those that students make; diagnosis.h compares a wrong output with all of them.
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

// What goes wrong when a tile of keys raises the running maximum.
enum class Online {
  kRight,
  kOutputNotRescaled,
  kSumNotRescaled,
  kNothingRescaled,
  kInverted,        // exp(m_new - m_old)
  kOutputInverted,  // for O only
  kTileMaximum,     // the weights of every tile are relative to its own maximum
  kDividedEveryTile,
};

// Which keys a causal kernel lets a query see. i is the query, j the key.
enum class Mask {
  kContract,          // j <= i + N_k - N_q
  kNone,              // all
  kTopLeft,           // j <= i
  kStrict,            // j < i + N_k - N_q
  kOneMore,           // j <= i + N_k - N_q + 1
  kUpper,             // j >= i + N_k - N_q
  kOffsetSubtracted,  // j <= i - (N_k - N_q)
  kLocal,             // positions inside their tiles are compared
  kLastTileOnly,      // the tiles before the last one of a block are not masked
  // The mask is right, but the loop over the tiles of keys ends too early.
  kTilesRoundedDown,  // at the last tile that is seen whole
  kTilesOfFirstRow,   // where the first query of the block needs no more
  kTilesTopLeft,      // N_k - N_q is forgotten
  kTilesByIndex,      // after as many tiles of keys as there are tiles of queries so far
  // Tiles of queries are worked on from the last to the first, and one place still counts from the first.
  kReversedTile,        // the mask
  kTilesReversedBound,  // the bound on the tiles of keys
};

// Which of H_kv key/value heads query head h reads.
enum class KvHead {
  kContract,  // h / (H / H_kv)
  kModulo,    // h % H_kv
  kByCount,   // h / H_kv
};

// What becomes of the parts if warps split the keys of a tile.
enum class Split {
  kNone,        // they do not
  kOnePart,     // one part is written, and the others are lost
  kUnweighted,  // they are added up as if all had the same maximum
};

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
  KvHead kv_head = KvHead::kContract;   // restricted by only_k and only_v as well
  int reversed_tiles_of = 0;            // O of a tile of Br queries is written to the mirrored tile
  Split split = Split::kNone;           // of tile_keys keys
  int parts = 1, part = 0;              // of a tile; the one that is written
  bool interleaved = false;             // key j is in part j % parts
  bool last_tile_only = false;          // of tile_keys keys
  bool swap_k_and_v = false;
  Maximum maximum = Maximum::kExact;
  float maximum_start = 0;            // for kTooHigh
  bool zero_without_weights = false;  // 0 instead of 0 / 0 where every weight underflows
  bool base_two = false;              // exp2 instead of exp
  Denominator denominator = Denominator::kSum;
  bool over_queries = false;  // softmax along the wrong axis
  bool causal = false;        // a mask that nobody asked for
  Online online = Online::kRight;
  int tile_keys = 0, tile_queries = 0;  // Bc and Br, for what depends on tiles
  int repeats_tile_of = 0;              // every tile of keys is the first one
  bool repeats_k = true, repeats_v = true;
  int own_tile_of = 0;  // a query sees only the tile of keys that has the number of its own tile
  Mask mask = Mask::kContract;
  bool masked_after_softmax = false;  // the sum holds what is masked
  bool masked_score = false;          // masked scores are this number, not -inf
  float score_if_masked = 0;
  bool empty_row_is_nan = false;   // a row that the causal mask leaves no key
  bool empty_row_is_mean = false;  // the same: the mean of V
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
  int dot_drops_every = 0;  // the last of so many elements plays no part
  int dot_tail_twice = 0;   // the elements behind the last multiple of this count twice

  bool only_causal() const {
    return mask != Mask::kContract || masked_after_softmax || masked_score || empty_row_is_nan ||
           empty_row_is_mean;
  }
};

// The output rows of a kernel with this mistake, [rows.size(), d]. Empty if the mistake makes no difference to
// the computation of this case, or would cost too much to simulate.
std::vector<float> simulate(
    const Mistake& mistake, const Problem& problem, const std::vector<std::int64_t>& rows);

}  // namespace judge
