#include "misconceptions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

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
    if (mistake.last_tile_only) first_key_ = (c_.N_k - 1) / mistake.tile_keys * mistake.tile_keys;
    end_key_ = std::max(c_.N_k - mistake.skip_last_keys, first_key_);
    if (mistake.whole_tiles_of > 0)
      end_key_ = c_.N_k / mistake.whole_tiles_of * mistake.whole_tiles_of;
    if (mistake.keys_up_to_N_q) end_key_ = std::min(c_.N_k, c_.N_q);
    dot_end_ = c_.d;
    if (mistake.dot_multiple_of > 0)
      dot_end_ = c_.d / mistake.dot_multiple_of * mistake.dot_multiple_of;
    if (mistake.dot_at_most > 0) dot_end_ = std::min(c_.d, mistake.dot_at_most);
  }

  // Whether a mask with this mistake lets one of the rows see other keys than it should.
  bool mask_shows(const std::vector<std::int64_t>& rows) const {
    return std::any_of(rows.begin(), rows.end(), [&](std::int64_t row) {
      const std::int64_t i = row % c_.N_q;
      for (int j = 0; j < c_.N_k; ++j)
        if (sees_causally(i, j) != (j <= i + c_.N_k - c_.N_q)) return true;
      return false;
    });
  }

  std::vector<float> run(const std::vector<std::int64_t>& rows) const {
    std::vector<float> O;
    O.reserve(rows.size() * c_.d);
    for (const std::int64_t written : rows) {
      const std::int64_t row = row_behind(written);
      if (row < 0) return {};
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

  // The row whose result lands in this one; -1 if nobody knows what does.
  std::int64_t row_behind(std::int64_t written) const {
    if (mistake_.reversed_tiles_of > 0) {
      const std::int64_t i = mirrored(written % c_.N_q, mistake_.reversed_tiles_of);
      return i < c_.N_q ? head(written) * c_.N_q + i : -1;
    }
    if (!mistake_.output_heads_inside) return written;
    // O is written as [batch, seq_len, heads, d].
    const std::int64_t h = written % c_.heads, i = written / c_.heads % c_.N_q;
    const std::int64_t b = written / c_.heads / c_.N_q;
    return (b * c_.heads + h) * c_.N_q + i;
  }

  // The query in the same place of its tile, if the tiles of Br queries are counted from the end.
  std::int64_t mirrored(std::int64_t i, std::int64_t Br) const {
    const std::int64_t tiles = (c_.N_q + Br - 1) / Br;
    return (tiles - 1 - i / Br) * Br + i % Br;
  }

  // Counted over all batches.
  std::int64_t kv_head(std::int64_t row) const {
    const std::int64_t b = head(row) / c_.heads, h = head(row) % c_.heads;
    switch (mistake_.kv_head) {
      case KvHead::kContract:
        break;
      case KvHead::kModulo:
        return b * c_.kv_heads() + h % c_.kv_heads();
      case KvHead::kByCount:
        return b * c_.kv_heads() + h / c_.kv_heads();
    }
    return problem_.kv_head(row);
  }

  // Which part of a split tile a key belongs to.
  int part_of(int j) const {
    if (mistake_.interleaved) return j % mistake_.parts;
    const int keys = mistake_.tile_keys / mistake_.parts;
    return j % mistake_.tile_keys / keys;
  }

  float element(const std::vector<float>& tensor, const Line& line, std::int64_t k) const {
    const std::int64_t index = line.first + k * line.step;
    if (index < static_cast<std::int64_t>(tensor.size())) return tensor[index];
    left_tensor_ = true;
    return 0;
  }

  Line key_or_value_line(std::int64_t row, int j, bool is_k) const {
    const bool affected = !(mistake_.only_k && !is_k) && !(mistake_.only_v && is_k);
    const bool repeats =
        mistake_.repeats_tile_of > 0 && (is_k ? mistake_.repeats_k : mistake_.repeats_v);
    if (repeats) j %= mistake_.repeats_tile_of;
    return line_of(
        affected ? mistake_.kv_layout : Layout::kContract, c_.batch, c_.kv_heads(), c_.N_k, c_.N_q,
        c_.d, affected ? kv_head(row) : problem_.kv_head(row), j);
  }

  float dot(std::int64_t row, int j) const {
    const Line q = line_of(
        mistake_.q_layout, c_.batch, c_.heads, c_.N_q, c_.N_k, c_.d, head(row), row % c_.N_q);
    const Line k_line = key_or_value_line(row, j, true);
    float sum = 0;
    const int tail = mistake_.dot_tail_twice;
    for (int k = 0; k < dot_end_; ++k) {
      if (mistake_.dot_drops_every > 0 && (k + 1) % mistake_.dot_drops_every == 0) continue;
      const float product = element(problem_.inputs.Q, q, k) * element(*keys_, k_line, k);
      sum += product;
      if (tail > 0 && k >= c_.d / tail * tail) sum += product;
    }
    return sum;
  }

  float power(float x) const { return mistake_.base_two ? std::exp2(x) : std::exp(x); }

  // The keys of the row's head that play a part, as this mistake has it.
  std::vector<char> visible_keys(std::int64_t row) const {
    const std::int64_t i = row % c_.N_q;
    std::vector<char> visible(c_.N_k, 0);
    for (int j = first_key_; j < end_key_; ++j) {
      bool sees = true;
      if (c_.causal) sees = sees_causally(i, j);
      if (mistake_.causal) sees = j <= i + c_.N_k - c_.N_q;
      if (mistake_.own_tile_of > 0)
        sees = sees && j / mistake_.own_tile_of == i / mistake_.own_tile_of;
      if (mistake_.split == Split::kOnePart) sees = sees && part_of(j) == mistake_.part;
      visible[j] = sees;
    }
    return visible;
  }

  bool sees_causally(std::int64_t i, std::int64_t j) const {
    const std::int64_t offset = c_.N_k - c_.N_q;
    const bool right = j <= i + offset;
    const std::int64_t Br = std::max(mistake_.tile_queries, 1);
    const std::int64_t Bc = std::max(mistake_.tile_keys, 1);
    const std::int64_t first_row = i / Br * Br;
    const std::int64_t last_row = std::min<std::int64_t>(first_row + Br, c_.N_q) - 1;
    const auto tiles_up_to = [&](std::int64_t keys) {
      return std::max<std::int64_t>(keys + Bc - 1, 0) / Bc;
    };
    switch (mistake_.mask) {
      case Mask::kContract:
        return right || mistake_.masked_after_softmax || mistake_.masked_score;
      case Mask::kNone:
        return true;
      case Mask::kTopLeft:
        return j <= i;
      case Mask::kStrict:
        return j < i + offset;
      case Mask::kOneMore:
        return j <= i + offset + 1;
      case Mask::kUpper:
        return j >= i + offset;
      case Mask::kOffsetSubtracted:
        return j <= i - offset;
      case Mask::kLocal:
        return j % Bc <= i % Br;
      case Mask::kLastTileOnly:
        return right || j / Bc < tiles_up_to(last_row + offset + 1) - 1;
      case Mask::kTilesRoundedDown:
        return right && j / Bc < std::max<std::int64_t>(last_row + offset + 1, 0) / Bc;
      case Mask::kTilesOfFirstRow:
        return right && j / Bc < tiles_up_to(first_row + offset + 1);
      case Mask::kTilesTopLeft:
        return right && j / Bc < tiles_up_to(last_row + 1);
      case Mask::kTilesByIndex:
        return right && j / Bc <= i / Br;
      case Mask::kReversedTile:
        return j <= mirrored(i, Br) + offset;
      case Mask::kTilesReversedBound: {
        const std::int64_t end = std::min<std::int64_t>(mirrored(first_row, Br) + Br, c_.N_q);
        return right && j / Bc < tiles_up_to(end + offset);
      }
    }
    return right;
  }

  bool sees_nothing(std::int64_t row) const {
    return c_.causal && row % c_.N_q + c_.N_k - c_.N_q < 0;
  }

  // The normalised weights of one row.
  std::vector<float> weights(std::int64_t row) const {
    if (mistake_.equal_weights) return std::vector<float>(c_.N_k, 1.0f / c_.N_k);
    if (sees_nothing(row) && mistake_.empty_row_is_mean)
      return std::vector<float>(c_.N_k, 1.0f / c_.N_k);
    const std::vector<char> visible = visible_keys(row);
    const std::int64_t horizon = row % c_.N_q + c_.N_k - c_.N_q;
    std::vector<float> s(c_.N_k, -std::numeric_limits<float>::infinity());
    float m = -std::numeric_limits<float>::infinity();
    float largest_dot = m;
    for (int j = first_key_; j < end_key_; ++j) {
      if (!visible[j]) continue;
      const float product = dot(row, j);
      largest_dot = std::max(largest_dot, product);
      s[j] = scale_ * product;
      if (c_.causal && mistake_.masked_score && j > horizon) s[j] = mistake_.score_if_masked;
      m = std::max(m, s[j]);
    }
    if (mistake_.online != Online::kRight) return online_weights(s, visible);
    if (mistake_.padded_to > 0 && c_.N_k % mistake_.padded_to != 0) m = std::max(m, 0.0f);
    if (mistake_.maximum == Maximum::kNone) m = 0;
    if (mistake_.maximum == Maximum::kTooHigh) m = std::max(m, mistake_.maximum_start);
    if (mistake_.maximum == Maximum::kUnscaled) m = scale_ * largest_dot;

    std::vector<float> part_maximum(mistake_.parts, m);
    if (mistake_.split == Split::kUnweighted) {
      std::fill(part_maximum.begin(), part_maximum.end(), -std::numeric_limits<float>::infinity());
      for (int j = first_key_; j < end_key_; ++j)
        part_maximum[part_of(j)] = std::max(part_maximum[part_of(j)], s[j]);
    }
    std::vector<float> p(c_.N_k, 0.0f);
    float l = 0;
    for (int j = first_key_; j < end_key_; ++j) {
      if (!visible[j]) continue;
      if (mistake_.split == Split::kUnweighted) m = part_maximum[part_of(j)];
      p[j] = power(s[j] - m);
      if (j < end_key_ - mistake_.skip_last_weights) l += p[j];
    }
    p = divided(std::move(p), l, m, row);
    if (c_.causal && mistake_.masked_after_softmax)
      for (std::int64_t j = std::max<std::int64_t>(horizon + 1, 0); j < c_.N_k; ++j) p[j] = 0;
    return p;
  }

  // The weights that o and l end up with, divided by l, if tile after tile is folded in with a mistake.
  std::vector<float> online_weights(
      const std::vector<float>& s, const std::vector<char>& visible) const {
    std::vector<float> p(c_.N_k, 0.0f);
    float m = -std::numeric_limits<float>::infinity(), l = 0;
    for (int first = 0; first < c_.N_k; first += mistake_.tile_keys) {
      const int end = std::min(first + mistake_.tile_keys, c_.N_k);
      float tile_max = -std::numeric_limits<float>::infinity();
      for (int j = first; j < end; ++j)
        if (visible[j]) tile_max = std::max(tile_max, s[j]);
      if (std::isinf(tile_max)) continue;  // nothing in this tile is seen
      const float m_new = std::max(m, tile_max);
      const float factor = power(m - m_new);
      float o_factor = factor, l_factor = factor, reference = m_new;
      switch (mistake_.online) {
        case Online::kRight:
          break;
        case Online::kOutputNotRescaled:
          o_factor = 1;
          break;
        case Online::kSumNotRescaled:
          l_factor = 1;
          break;
        case Online::kNothingRescaled:
          o_factor = l_factor = 1;
          break;
        case Online::kInverted:
          o_factor = l_factor = std::isinf(m) ? 0 : power(m_new - m);
          break;
        case Online::kOutputInverted:
          o_factor = std::isinf(m) ? 0 : power(m_new - m);
          break;
        case Online::kTileMaximum:
          o_factor = l_factor = 1;
          reference = tile_max;
          break;
        case Online::kDividedEveryTile:
          break;
      }
      for (int j = 0; j < first; ++j) p[j] *= o_factor;
      l *= l_factor;
      for (int j = first; j < end; ++j) {
        if (!visible[j]) continue;
        p[j] = power(s[j] - reference);
        l += p[j];
      }
      if (mistake_.online == Online::kDividedEveryTile)
        for (int j = 0; j < end; ++j) p[j] /= l;
      m = m_new;
    }
    if (mistake_.online != Online::kDividedEveryTile && l != 0)
      for (float& weight : p) weight /= l;
    return p;
  }

  std::vector<float> divided(std::vector<float> p, float l, float m, std::int64_t row) const {
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
        const int tile = std::max(mistake_.tile_keys, 1);
        for (int j = (c_.N_k - 1) / tile * tile; j < c_.N_k; ++j) l += p[j];
        break;
      }
    }
    // Rows that the causal mask leaves no key are right unless they are what the mistake is about.
    const bool zero =
        mistake_.zero_without_weights || (sees_nothing(row) && !mistake_.empty_row_is_nan);
    for (float& weight : p) weight = l == 0 && zero ? 0 : weight / l;
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

std::vector<float> simulate(
    const Mistake& mistake, const Problem& problem, const std::vector<std::int64_t>& rows) {
  const Case& c = problem.shape;
  const std::int64_t row_work = std::int64_t{c.N_k} * c.d * (mistake.over_queries ? c.N_q : 2);
  if (static_cast<std::int64_t>(rows.size()) * row_work > kMostWork) return {};
  // For mistakes that a case cannot show.
  if (mistake.own_scale && !c.custom_scale) return {};
  if (mistake.scale_missing && c.softmax_scale() == 1) return {};
  if (mistake.causal && c.causal) return {};
  if (mistake.only_causal() && !c.causal) return {};
  if (mistake.kv_head != KvHead::kContract && (c.kv_heads() == 1 || c.kv_heads() == c.heads))
    return {};
  if (mistake.reversed_tiles_of >= c.N_q && mistake.reversed_tiles_of > 0) return {};
  if (mistake.split != Split::kNone && mistake.part == 0 && !mistake.interleaved &&
      c.N_k <= mistake.tile_keys / mistake.parts)
    return {};
  if (mistake.interleaved && c.N_k == 1) return {};
  if (mistake.over_queries && c.causal) return {};
  if (mistake.mask == Mask::kNone && c.N_q == 1) return {};
  const bool one_tile = mistake.tile_keys >= c.N_k;
  if ((mistake.online != Online::kRight || mistake.denominator == Denominator::kLastTile ||
       mistake.last_tile_only) &&
      one_tile)
    return {};
  if (mistake.last_tile_only && c.causal) return {};  // which tile is the last depends on the block
  if (mistake.repeats_tile_of >= c.N_k && mistake.repeats_tile_of > 0) return {};
  if (mistake.own_tile_of > 0 && mistake.own_tile_of >= std::max(c.N_q, c.N_k)) return {};
  if (mistake.dot_drops_every > c.d) return {};
  if (mistake.dot_tail_twice > 0 && c.d % mistake.dot_tail_twice == 0) return {};
  if (mistake.kv_layout == Layout::kOtherSeqLen && c.N_q == c.N_k) return {};
  if (mistake.q_layout == Layout::kOtherSeqLen && c.N_q == c.N_k) return {};
  if (mistake.keys_up_to_N_q && c.N_q >= c.N_k) return {};
  if (mistake.whole_tiles_of > 0 && c.N_k % mistake.whole_tiles_of == 0) return {};
  if (mistake.padded_to > 0 && c.N_k % mistake.padded_to == 0) return {};
  if (mistake.dot_multiple_of > 0 && c.d % mistake.dot_multiple_of == 0) return {};
  if (mistake.dot_multiple_of > c.d) return {};
  if (mistake.dot_at_most > 0 && c.d <= mistake.dot_at_most) return {};
  const Simulation simulation(mistake, problem);
  if (mistake.mask != Mask::kContract && !simulation.mask_shows(rows)) return {};
  return simulation.run(rows);
}

}  // namespace judge
