#include "misconceptions.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "text.h"

namespace judge {
namespace {

constexpr std::int64_t kMostWork = 20'000'000;  // multiplications of one simulation

// Where the elements of a row are read: element k at first + k * step.
struct Line {
  std::int64_t first, step;
};

// N is the tensor's sequence length, N_other that of the other ones.
Line line_of(
    Layout layout, std::int64_t batch, std::int64_t heads, std::int64_t N, std::int64_t N_other,
    std::int64_t d, std::int64_t head, std::int64_t i) {
  const std::int64_t b = head / heads, h = head % heads;
  switch (layout) {
    case Layout::kContract:
      return {(head * N + i) * d, 1};
    case Layout::kTransposed:
      return {head * N * d + i, N};
    case Layout::kHeadsInside:
      return {((b * N + i) * heads + h) * d, 1};
    case Layout::kHeadsOutside:
      return {((h * batch + b) * N + i) * d, 1};
    case Layout::kRowsN:
      return {head * N * d + i * N, 1};
    case Layout::kHeadZero:
      return {(b * heads * N + i) * d, 1};
    case Layout::kBatchZero:
      return {(h * N + i) * d, 1};
    case Layout::kOtherSeqLen:
      return {(head * N_other + i) * d, 1};
  }
  return {0, 1};
}

class Simulation {
 public:
  Simulation(const Mistake& mistake, const Problem& problem)
      : mistake_(mistake), problem_(problem), c_(problem.shape) {
    keys_ = mistake.swap_k_and_v ? &problem.inputs.V : &problem.inputs.K;
    values_ = mistake.swap_k_and_v ? &problem.inputs.K : &problem.inputs.V;
    scale_ = mistake.scale_missing ? 1 : c_.softmax_scale();
    if (mistake.own_scale) scale_ = static_cast<float>(1 / std::sqrt(static_cast<double>(c_.d)));
    if (mistake.scale_twice) scale_ *= scale_;
    scale_ = static_cast<float>(scale_ * mistake.scale_factor);
    first_key_ = std::min(mistake.skip_first_keys, c_.N_k);
    end_key_ = std::max(c_.N_k - mistake.skip_last_keys, first_key_);
    if (mistake.whole_tiles_of > 0)
      end_key_ = c_.N_k / mistake.whole_tiles_of * mistake.whole_tiles_of;
    if (mistake.keys_up_to_N_q) end_key_ = std::min(c_.N_k, c_.N_q);
    dot_end_ = c_.d;
    if (mistake.dot_multiple_of > 0)
      dot_end_ = c_.d / mistake.dot_multiple_of * mistake.dot_multiple_of;
    if (mistake.dot_at_most > 0) dot_end_ = std::min(c_.d, mistake.dot_at_most);
  }

  std::vector<float> run(const std::vector<std::int64_t>& rows) const {
    std::vector<float> O;
    O.reserve(rows.size() * c_.d);
    for (const std::int64_t written : rows) {
      const std::int64_t row = mistake_.output_heads_inside ? row_behind(written) : written;
      const std::vector<float> p = mistake_.over_queries ? weights_over_queries(row) : weights(row);
      // Without a single key, 0 / 0 is left.
      const bool no_key = end_key_ == first_key_;
      std::vector<float> o(c_.d, no_key ? std::numeric_limits<float>::quiet_NaN() : 0.0f);
      for (int j = first_key_; j < end_key_ - mistake_.skip_last_values; ++j) {
        const Line v = key_or_value_line(row, j, false);
        for (int k = 0; k < c_.d; ++k) o[k] += p[j] * element(*values_, v, k);
      }
      O.insert(O.end(), o.begin(), o.end());
    }
    // What lies outside a tensor nobody knows; the device and the bits of a NaN tell of such reads.
    if (left_tensor_) O.clear();
    return O;
  }

 private:
  std::int64_t head(std::int64_t row) const { return row / c_.N_q; }

  // The row whose result lands in this one if O is written as [batch, seq_len, heads, d].
  std::int64_t row_behind(std::int64_t written) const {
    const std::int64_t h = written % c_.heads, i = written / c_.heads % c_.N_q;
    const std::int64_t b = written / c_.heads / c_.N_q;
    return (b * c_.heads + h) * c_.N_q + i;
  }

  float element(const std::vector<float>& tensor, const Line& line, std::int64_t k) const {
    const std::int64_t index = line.first + k * line.step;
    if (index < static_cast<std::int64_t>(tensor.size())) return tensor[index];
    left_tensor_ = true;
    return 0;
  }

  Line key_or_value_line(std::int64_t row, int j, bool is_k) const {
    const bool affected = !(mistake_.only_k && !is_k) && !(mistake_.only_v && is_k);
    return line_of(
        affected ? mistake_.kv_layout : Layout::kContract, c_.batch, c_.kv_heads(), c_.N_k, c_.N_q,
        c_.d, problem_.kv_head(row), j);
  }

  float dot(std::int64_t row, int j) const {
    const Line q = line_of(
        mistake_.q_layout, c_.batch, c_.heads, c_.N_q, c_.N_k, c_.d, head(row), row % c_.N_q);
    const Line k_line = key_or_value_line(row, j, true);
    float sum = 0;
    for (int k = 0; k < dot_end_; ++k)
      sum += element(problem_.inputs.Q, q, k) * element(*keys_, k_line, k);
    return sum;
  }

  float power(float x) const { return mistake_.base_two ? std::exp2(x) : std::exp(x); }

  // The normalised weights of one row.
  std::vector<float> weights(std::int64_t row) const {
    if (mistake_.equal_weights) return std::vector<float>(c_.N_k, 1.0f / c_.N_k);
    const int visible = mistake_.causal ? static_cast<int>(std::clamp<std::int64_t>(
                                              row % c_.N_q + c_.N_k - c_.N_q + 1, 0, c_.N_k))
                                        : c_.N_k;
    std::vector<float> s(c_.N_k, -std::numeric_limits<float>::infinity());
    float m = -std::numeric_limits<float>::infinity();
    float largest_dot = m;
    for (int j = first_key_; j < std::min(end_key_, visible); ++j) {
      const float product = dot(row, j);
      largest_dot = std::max(largest_dot, product);
      s[j] = scale_ * product;
      m = std::max(m, s[j]);
    }
    if (mistake_.padded_to > 0 && c_.N_k % mistake_.padded_to != 0) m = std::max(m, 0.0f);
    if (mistake_.maximum == Maximum::kNone) m = 0;
    if (mistake_.maximum == Maximum::kTooHigh) m = std::max(m, mistake_.maximum_start);
    if (mistake_.maximum == Maximum::kUnscaled) m = scale_ * largest_dot;

    std::vector<float> p(c_.N_k, 0.0f);
    float l = 0;
    for (int j = first_key_; j < std::min(end_key_, visible); ++j) {
      p[j] = power(s[j] - m);
      if (j < end_key_ - mistake_.skip_last_weights) l += p[j];
    }
    return divided(p, l, m);
  }

  std::vector<float> divided(std::vector<float> p, float l, float m) const {
    if (mistake_.padded_to > 0) {
      const int phantoms = (mistake_.padded_to - c_.N_k % mistake_.padded_to) % mistake_.padded_to;
      l += static_cast<float>(phantoms) * power(-m);
    }
    switch (mistake_.denominator) {
      case Denominator::kSum:
        break;
      case Denominator::kNone:
        l = 1;
        break;
      case Denominator::kCount:
        l = static_cast<float>(c_.N_k);
        break;
      case Denominator::kLastTile: {
        l = 0;
        const int tile = 32;
        for (int j = (c_.N_k - 1) / tile * tile; j < c_.N_k; ++j) l += p[j];
        break;
      }
    }
    for (float& weight : p) weight = l == 0 && mistake_.zero_without_weights ? 0 : weight / l;
    return p;
  }

  // exp(s_ij) divided by its sum over the queries i of the same head.
  std::vector<float> weights_over_queries(std::int64_t row) const {
    std::vector<float> p(c_.N_k, 0.0f);
    const std::int64_t first_row = head(row) * c_.N_q;
    for (int j = 0; j < c_.N_k; ++j) {
      std::vector<float> s(c_.N_q);
      for (int i = 0; i < c_.N_q; ++i) s[i] = scale_ * dot(first_row + i, j);
      const float m = *std::max_element(s.begin(), s.end());
      float l = 0;
      for (const float score : s) l += std::exp(score - m);
      p[j] = std::exp(s[row % c_.N_q] - m) / l;
    }
    return p;
  }

  const Mistake& mistake_;
  const Problem& problem_;
  const Case& c_;
  const std::vector<float>* keys_;
  const std::vector<float>* values_;
  float scale_;
  int first_key_, end_key_, dot_end_;
  mutable bool left_tensor_ = false;
};

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
      {.slug = "denominator-last-tile",
       .words = "the denominator holds the weights of the last keys only",
       .denominator = Denominator::kLastTile},
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

std::vector<float> simulate(
    const Mistake& mistake, const Problem& problem, const std::vector<std::int64_t>& rows) {
  const Case& c = problem.shape;
  const std::int64_t row_work = std::int64_t{c.N_k} * c.d * (mistake.over_queries ? c.N_q : 2);
  if (static_cast<std::int64_t>(rows.size()) * row_work > kMostWork) return {};
  // For mistakes that a case cannot show.
  if (mistake.own_scale && !c.custom_scale) return {};
  if (mistake.scale_missing && c.softmax_scale() == 1) return {};
  if (mistake.causal && c.causal) return {};
  if (mistake.kv_layout == Layout::kOtherSeqLen && c.N_q == c.N_k) return {};
  if (mistake.q_layout == Layout::kOtherSeqLen && c.N_q == c.N_k) return {};
  if (mistake.keys_up_to_N_q && c.N_q >= c.N_k) return {};
  if (mistake.whole_tiles_of > 0 && c.N_k % mistake.whole_tiles_of == 0) return {};
  if (mistake.padded_to > 0 && c.N_k % mistake.padded_to == 0) return {};
  if (mistake.dot_multiple_of > 0 && c.d % mistake.dot_multiple_of == 0) return {};
  if (mistake.dot_multiple_of > c.d) return {};
  if (mistake.dot_at_most > 0 && c.d <= mistake.dot_at_most) return {};
  return Simulation(mistake, problem).run(rows);
}

}  // namespace judge
