#include "mistake_bank.h"

#include "text.h"

namespace judge {
namespace {

constexpr int kTiles[] = {8, 16, 32, 64, 128};

// Adds the mistake once for a row without weights that gives 0 / 0, once for one that gives 0.
void add_mask(std::vector<Mistake>* all, Mistake mistake) {
  for (const bool nan : {true, false}) {
    mistake.empty_row_is_nan = nan;
    mistake.zero_without_weights = !nan;
    all->push_back(mistake);
  }
}

}  // namespace

std::vector<Mistake> naive_mistakes() {
  std::vector<Mistake> all = {
      {.slug = "scale-missing",
       .words = "the scores are not multiplied by softmax_scale",
       .scale_missing = true},
      {.slug = "scale-twice", .words = "softmax_scale is applied twice", .scale_twice = true},
      {.slug = "scale-ignored",
       .words = "the scores are divided by sqrt(head_dim) instead of multiplied by the argument "
                "softmax_scale",
       .own_scale = true},
      {.slug = "scale-inverted-sign",
       .words = "the scores have the wrong sign",
       .scale_factor = -1},
      {.slug = "q-transposed",
       .words = "Q is read as if it were stored [d, N_q]; row i of [N_q, d] starts at i * d",
       .q_layout = Layout::kTransposed},
      {.slug = "k-transposed",
       .words = "K is read as if it were stored [d, N_k]; row j of [N_k, d] starts at j * d",
       .kv_layout = Layout::kTransposed,
       .only_k = true},
      {.slug = "v-transposed",
       .words = "V is read as if it were stored [d, N_k]; row j of [N_k, d] starts at j * d",
       .kv_layout = Layout::kTransposed,
       .only_v = true},
      {.slug = "heads-inside",
       .words = "the tensors are read as [batch, seq_len, heads, d]; they are [batch, heads, "
                "seq_len, d]",
       .q_layout = Layout::kHeadsInside,
       .kv_layout = Layout::kHeadsInside},
      {.slug = "heads-inside",
       .words = "the tensors are taken for [batch, seq_len, heads, d]; they are [batch, heads, "
                "seq_len, d]",
       .q_layout = Layout::kHeadsInside,
       .kv_layout = Layout::kHeadsInside,
       .output_heads_inside = true},
      {.slug = "kv-heads-outside",
       .words =
           "K and V are read as [heads, batch, seq_len, d]; they are [batch, heads, seq_len, d]",
       .kv_layout = Layout::kHeadsOutside},
      {.slug = "q-row-stride",
       .words = "the rows of Q are looked for N_q elements apart; they are d apart",
       .q_layout = Layout::kRowsN},
      {.slug = "k-row-stride",
       .words = "the rows of K are looked for N_k elements apart; they are d apart",
       .kv_layout = Layout::kRowsN,
       .only_k = true},
      {.slug = "v-row-stride",
       .words = "the rows of V are looked for N_k elements apart; they are d apart",
       .kv_layout = Layout::kRowsN,
       .only_v = true},
      {.slug = "head-offset-missing",
       .words = "every head reads Q, K and V of head 0",
       .q_layout = Layout::kHeadZero,
       .kv_layout = Layout::kHeadZero},
      {.slug = "kv-head-offset-missing",
       .words = "every head reads K and V of head 0",
       .kv_layout = Layout::kHeadZero},
      {.slug = "k-head-offset-missing",
       .words = "every head reads K of head 0",
       .kv_layout = Layout::kHeadZero,
       .only_k = true},
      {.slug = "v-head-offset-missing",
       .words = "every head reads V of head 0",
       .kv_layout = Layout::kHeadZero,
       .only_v = true},
      {.slug = "batch-offset-missing",
       .words = "every batch reads Q, K and V of batch 0",
       .q_layout = Layout::kBatchZero,
       .kv_layout = Layout::kBatchZero},
      {.slug = "kv-batch-offset-missing",
       .words = "every batch reads K and V of batch 0",
       .kv_layout = Layout::kBatchZero},
      {.slug = "kv-stride-N_q",
       .words = "K and V of a head are looked for head * N_q rows into the tensor; they are head * "
                "N_k rows in",
       .kv_layout = Layout::kOtherSeqLen},
      {.slug = "q-stride-N_k",
       .words =
           "Q of a head is looked for head * N_k rows into the tensor; it is head * N_q rows in",
       .q_layout = Layout::kOtherSeqLen},
      {.slug = "equal-weights",
       .words = "every key gets the same weight: the scores play no part",
       .equal_weights = true},
      {.slug = "k-and-v-swapped", .words = "K and V are swapped", .swap_k_and_v = true},
      {.slug = "softmax-over-queries",
       .words = "the weights of one key sum to 1 over the queries; softmax normalises over the "
                "keys of one query",
       .over_queries = true},
      {.slug = "max-of-unscaled",
       .words = "the maximum is taken before the scores are scaled; a negative softmax_scale turns "
                "it into the minimum",
       .maximum = Maximum::kUnscaled},
      {.slug = "not-normalised",
       .words = "the sum of weighted values is not divided by the sum of the weights",
       .denominator = Denominator::kNone},
      {.slug = "divided-by-count",
       .words = "the result is divided by the number of keys instead of the sum of the weights",
       .denominator = Denominator::kCount},
      {.slug = "base-two",
       .words = "2^x is computed instead of e^x: exp2f needs scores multiplied by log2(e)",
       .base_two = true},
      {.slug = "causal",
       .words = "a causal mask is applied, though causal is false",
       .causal = true},
      {.slug = "first-key-dropped", .words = "key 0 is left out", .skip_first_keys = 1},
      {.slug = "last-key-dropped",
       .words = "the last key is left out: the loop over the keys ends one too early",
       .skip_last_keys = 1},
      {.slug = "last-value-dropped",
       .words =
           "the sum over the values leaves out the last key, whose weight is in the denominator",
       .skip_last_values = 1},
      {.slug = "last-weight-dropped",
       .words = "the sum of the weights leaves out the last key",
       .skip_last_weights = 1},
      {.slug = "keys-up-to-N_q",
       .words = "the loop over the keys ends at N_q instead of N_k",
       .keys_up_to_N_q = true},
  };
  for (const bool zero : {false, true}) {
    all.push_back(
        {.slug = "no-max",
         .words = "the largest score is not subtracted before exp(), which overflows above 88.7",
         .maximum = Maximum::kNone,
         .zero_without_weights = zero});
    for (const float start : {0.0f, -1.0f, -100.0f, -1e4f, -5e4f})
      all.push_back(
          {.slug = "max-start",
           .words = "the maximum starts at a number (0, FLT_MIN, -10000, ...) that is larger than "
                    "every score of "
                    "this row; FLT_MIN is the smallest positive float",
           .maximum = Maximum::kTooHigh,
           .maximum_start = start,
           .zero_without_weights = zero});
  }
  for (const int tile : {8, 16, 32, 64, 128, 256}) {
    all.push_back(
        {.slug = "partial-tile-dropped",
         .words = "the keys behind the last whole tile are left out",
         .whole_tiles_of = tile});
    all.push_back(
        {.slug = "padding-counted",
         .words = "the denominator counts padding as keys with score 0, and exp(0) is 1",
         .padded_to = tile});
  }
  for (const int multiple : {2, 4, 8, 16, 32})
    all.push_back(
        {.slug = "dot-partial",
         .words = "the dot product leaves out the last elements of a row",
         .dot_multiple_of = multiple});
  for (const int most : {32, 64})
    all.push_back(
        {.slug = "dot-limited",
         .words = format("the dot product ends at element %d of a row", most),
         .dot_at_most = most});
  return all;
}

std::vector<Mistake> tiled_mistakes() {
  std::vector<Mistake> all;
  for (const int tile : kTiles) {
    all.push_back(
        {.slug = "first-tile-again",
         .words =
             "every tile of K and V is the first one: the tile's number is missing from the row",
         .repeats_tile_of = tile});
    all.push_back(
        {.slug = "first-k-tile-again",
         .words = "every tile of K is the first one: the tile's number is missing from the row",
         .repeats_tile_of = tile,
         .repeats_v = false});
    all.push_back(
        {.slug = "first-v-tile-again",
         .words = "every tile of V is the first one: the tile's number is missing from the row",
         .repeats_tile_of = tile,
         .repeats_k = false});
    all.push_back(
        {.slug = "one-tile-per-block",
         .words = "a block looks at one tile of keys, the one with its own number; every query "
                  "needs all tiles",
         .own_tile_of = tile});
  }
  return all;
}

std::vector<Mistake> online_mistakes() {
  const struct {
    const char* slug;
    const char* words;
    Online online;
  } kinds[] = {
      {"o-not-rescaled", "O is not rescaled when the running maximum rises",
       Online::kOutputNotRescaled},
      {"l-not-rescaled", "l is not rescaled when the running maximum rises",
       Online::kSumNotRescaled},
      {"nothing-rescaled", "neither l nor O is rescaled when the running maximum rises",
       Online::kNothingRescaled},
      {"rescale-inverted",
       "l and O are multiplied by exp(m_new - m_old); a larger maximum can only make what came "
       "before smaller: exp(m_old - m_new)",
       Online::kInverted},
      {"rescale-inverted",
       "O is multiplied by exp(m_new - m_old); a larger maximum can only make what came before "
       "smaller: exp(m_old - m_new)",
       Online::kOutputInverted},
      {"tile-maximum",
       "the weights of each tile are relative to the maximum of that tile alone, and added up all "
       "the same",
       Online::kTileMaximum},
      {"divided-every-tile", "O is divided by l after every tile; l is final after the last one",
       Online::kDividedEveryTile},
  };
  std::vector<Mistake> all;
  for (const int tile : {1, 8, 16, 32, 64, 128}) {
    for (const auto& kind : kinds) {
      // The maximum of a tile of one key is that key's score, and every weight is 1.
      if (kind.online == Online::kTileMaximum && tile == 1) continue;
      all.push_back(
          {.slug = kind.slug, .words = kind.words, .online = kind.online, .tile_keys = tile});
    }
    all.push_back(
        {.slug = "denominator-last-tile",
         .words = "the denominator holds the weights of the last tile only",
         .denominator = Denominator::kLastTile,
         .tile_keys = tile});
  }
  return all;
}

std::vector<Mistake> vector_mistakes() {
  return {
      {.slug = "dot-drops-w",
       .words = "the dot product leaves out every fourth element: .w of a float4",
       .dot_drops_every = 4},
      {.slug = "tail-twice",
       .words = "the elements behind the last whole float4 of a row enter the dot product twice",
       .dot_tail_twice = 4},
  };
}

std::vector<Mistake> causal_mistakes() {
  std::vector<Mistake> all;
  add_mask(
      &all, {.slug = "mask-top-left",
             .words = "the mask is aligned top-left, j <= i; it is bottom-right, "
                      "j <= i + N_k - N_q",
             .mask = Mask::kTopLeft});
  add_mask(
      &all, {.slug = "mask-strict",
             .words = "a query does not see the key of its own position: the mask is <, not <=",
             .mask = Mask::kStrict});
  add_mask(
      &all, {.slug = "mask-one-more",
             .words = "a query sees one key too many: the first one of its future",
             .mask = Mask::kOneMore});
  add_mask(
      &all, {.slug = "mask-upper",
             .words = "the mask keeps the keys from a query's position on; it keeps those up to it",
             .mask = Mask::kUpper});
  add_mask(
      &all, {.slug = "mask-offset-sign",
             .words = "N_k - N_q is subtracted from the query's position; it is added",
             .mask = Mask::kOffsetSubtracted});
  all.push_back(
      {.slug = "mask-missing", .words = "no causal mask is applied", .mask = Mask::kNone});
  all.push_back(
      {.slug = "mask-after-softmax",
       .words = "the weights are masked after the sum was taken, which still holds the masked ones",
       .masked_after_softmax = true});
  for (const float score : {0.0f, -1.0f, -10.0f, -100.0f, -1e3f, -1e4f})
    all.push_back(
        {.slug = "masked-score",
         .words = score == 0 ? "masked scores are 0, and exp(0 - m) is not 0; they are -inf"
                             : "masked scores are a number that is larger than some real scores; "
                               "they are -inf",
         .masked_score = true,
         .score_if_masked = score});
  all.push_back(
      {.slug = "empty-row-nan",
       .words = "a row that sees no key gives NaN: (-inf) - (-inf), or 0 / 0",
       .empty_row_is_nan = true});
  all.push_back(
      {.slug = "empty-row-mean",
       .words =
           "a row that sees no key gives the mean of V: every score is the same large negative "
           "number, so every weight is exp(0); O is 0 in such a row",
       .empty_row_is_mean = true});
  for (const int Br : kTiles)
    for (const int Bc : kTiles) {
      const auto add = [&](const char* slug, const char* words, Mask mask) {
        add_mask(
            &all,
            {.slug = slug, .words = words, .tile_keys = Bc, .tile_queries = Br, .mask = mask});
      };
      add("mask-local",
          "positions inside the tiles are compared, not positions in the sequence: the mask "
          "repeats "
          "in every tile",
          Mask::kLocal);
      add("mask-last-tile-only",
          "only the last tile of a block is masked, but the diagonal runs through several",
          Mask::kLastTileOnly);
      add("diagonal-tile-skipped",
          "tiles are skipped that some query of the block sees in part: the number of tiles is "
          "rounded down",
          Mask::kTilesRoundedDown);
      add("diagonal-tile-skipped",
          "tiles are skipped that some query of the block sees: the bound is that of its first "
          "query; its last one sees most",
          Mask::kTilesOfFirstRow);
      add("diagonal-tile-skipped",
          "tiles are skipped that some query of the block sees: the bound on the tiles forgets "
          "N_k - N_q",
          Mask::kTilesTopLeft);
      add("diagonal-tile-skipped",
          "tiles are skipped that some query of the block sees: tiles of queries and of keys "
          "differ "
          "in size, or N_q and N_k do",
          Mask::kTilesByIndex);
    }
  return all;
}

std::vector<Mistake> partitioned_mistakes() {
  std::vector<Mistake> all = {
      {.slug = "log2e-without-exp2",
       .words = "the scores are multiplied by log2(e) once too often: that factor turns exp() into "
                "exp2(), and expf() needs none",
       .scale_factor = 1.4426950408889634},
  };
  const struct {
    const char* slug;
    const char* words;
    KvHead kv_head;
  } heads[] = {
      {"kv-head-modulo",
       "query head h reads key/value head h % H_kv; heads that share one are neighbours: "
       "h / (H / H_kv)",
       KvHead::kModulo},
      {"kv-head-by-count",
       "query head h reads key/value head h / H_kv; a group has H / H_kv heads: h / (H / H_kv)",
       KvHead::kByCount},
  };
  for (const auto& [slug, words, kv_head] : heads) {
    all.push_back({.slug = slug, .words = words, .kv_head = kv_head});
    all.push_back(
        {.slug = slug,
         .words = std::string("for K, ") + words,
         .only_k = true,
         .kv_head = kv_head});
    all.push_back(
        {.slug = slug,
         .words = std::string("for V, ") + words,
         .only_v = true,
         .kv_head = kv_head});
  }
  for (const int Br : kTiles) {
    all.push_back(
        {.slug = "tile-order-output",
         .words =
             "the tiles of queries are taken from the last to the first, but O is written from "
             "the first to the last",
         .reversed_tiles_of = Br});
    add_mask(
        &all, {.slug = "tile-order-mask",
               .words = "the tiles of queries are taken from the last to the first, but the mask "
                        "counts them from the first",
               .tile_queries = Br,
               .mask = Mask::kReversedTile});
    for (const int Bc : kTiles)
      add_mask(
          &all, {.slug = "tile-order-bound",
                 .words = "the tiles of queries are taken from the last to the first, but how many "
                          "tiles of keys a block needs is counted from the first",
                 .tile_keys = Bc,
                 .tile_queries = Br,
                 .mask = Mask::kTilesReversedBound});
  }
  for (const int lanes : {2, 4, 8, 16, 32})
    all.push_back(
        {.slug = "lanes-disagree",
         .words =
             "the threads that share a row do not agree on its maximum: each takes that of its "
             "own keys",
         .split = Split::kUnweighted,
         .parts = lanes,
         .interleaved = true});
  for (const int Bc : {16, 32, 64, 128})
    all.push_back(
        {.slug = "last-tile-only",
         .words = "only the last tile of keys is in the result: what the tiles before it gave is "
                  "multiplied by 0, or overwritten",
         .last_tile_only = true,
         .tile_keys = Bc});
  for (const int Bc : {32, 64, 128})
    for (const int parts : {2, 4, 8}) {
      for (const int part : {0, parts - 1})
        all.push_back(
            {.slug = "split-keys-lost",
             .words = format(
                 "the keys of a tile are split into %d parts, and only part %d is in the result: "
                 "the parts are not added up",
                 parts, part),
             .split = Split::kOnePart,
             .parts = parts,
             .part = part,
             .tile_keys = Bc});
      all.push_back(
          {.slug = "split-keys-unweighted",
           .words = "the parts of the keys are added up as if they had the same maximum: each part "
                    "of O and l first has to be multiplied by exp(m of the part - m of the row)",
           .split = Split::kUnweighted,
           .parts = parts,
           .tile_keys = Bc});
    }
  return all;
}

}  // namespace judge
