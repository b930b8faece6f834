#include "attention_case.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "runner/protocol.h"
#include "text.h"

namespace judge {

const char* family_name(Family family) {
  switch (family) {
    case Family::kRandn:
      return "randn";
    case Family::kRising:
      return "rising";
    case Family::kFalling:
      return "falling";
    case Family::kAllNeg200:
      return "allneg200";
    case Family::kNeg2e4:
      return "neg2e4";
    case Family::kNeg6e4:
      return "neg6e4";
    case Family::kLogit1e4:
      return "logit1e4";
    case Family::kUniform:
      return "uniform";
    case Family::kRowTag:
      return "rowtag";
    case Family::kOneHot:
      return "onehot";
    case Family::kCancel:
      return "cancel";
    case Family::kDenorm:
      return "denorm";
  }
  return "?";
}

const char* family_words(Family family) {
  switch (family) {
    case Family::kRandn:
      return "normally distributed inputs";
    case Family::kRising:
      return "scores that rise along the keys";
    case Family::kFalling:
      return "scores that fall along the keys";
    case Family::kAllNeg200:
      return "every score near -200";
    case Family::kNeg2e4:
      return "every score near -20,000";
    case Family::kNeg6e4:
      return "every score near -60,000";
    case Family::kLogit1e4:
      return "scores of the order of 10,000";
    case Family::kUniform:
      return "Q = 0, so every key weighs the same";
    case Family::kRowTag:
      return "V[j] = j + 1, so the output tells which keys were read";
    case Family::kOneHot:
      return "every query belongs to one key";
    case Family::kCancel:
      return "V that alternates between +1000 and -1000";
    case Family::kDenorm:
      return "V below the smallest normal float";
  }
  return "?";
}

const char* upstream_name(Upstream upstream) {
  switch (upstream) {
    case Upstream::kRandn:
      return "randn";
    case Upstream::kEqualsO:
      return "o";
    case Upstream::kRowTag:
      return "rowtag";
    case Upstream::kRising:
      return "rising";
    case Upstream::kOneRow:
      return "onerow";
    case Upstream::kCancel:
      return "cancel";
    case Upstream::kDenorm:
      return "denorm";
  }
  return "?";
}

const char* upstream_words(Upstream upstream) {
  switch (upstream) {
    case Upstream::kRandn:
      return "normally distributed dO";
    case Upstream::kEqualsO:
      return "dO = O";
    case Upstream::kRowTag:
      return "dO[i] = i + 1, so dV tells which queries were read";
    case Upstream::kRising:
      return "dO that grows along the queries";
    case Upstream::kOneRow:
      return "dO = 0 but for one query";
    case Upstream::kCancel:
      return "dO that alternates between +1000 and -1000";
    case Upstream::kDenorm:
      return "dO below the smallest normal float";
  }
  return "?";
}

float Case::softmax_scale() const {
  if (custom_scale) return static_cast<float>(scale);
  return d > 0 ? static_cast<float>(1 / std::sqrt(static_cast<double>(d))) : 1.0f;
}

std::int64_t Case::q_elements() const {
  return batch > 0 && heads > 0 && N_q > 0 && d > 0 ? rows() * d : 0;
}

std::int64_t Case::kv_elements() const {
  return batch > 0 && kv_heads() > 0 && N_k > 0 && d > 0
             ? std::int64_t{batch} * kv_heads() * N_k * d
             : 0;
}

std::int64_t Case::elements(int tensor) const {
  if (rows_are_keys(tensor)) return kv_elements();
  return d > 0 ? q_elements() / d * std::max(row_length(tensor), 0) : 0;
}

int Case::row_length(int tensor) const {
  switch (tensor) {
    case protocol::kLSE:
    case protocol::kDelta:
      return 1;
    case protocol::kGradP:
    case protocol::kGradS:
      return N_k;
    default:
      return d;
  }
}

bool Case::rows_are_keys(int tensor) const {
  return tensor == protocol::kK || tensor == protocol::kV || tensor == protocol::kGradK ||
         tensor == protocol::kGradV;
}

std::string Case::words() const {
  std::string text;
  if (batch != 1 || heads != 1) text += format("B=%d H=%d ", batch, heads);
  if (kv_heads() != heads) text += format("H_kv=%d ", kv_heads());
  text += format("N_q=%d N_k=%d d=%d, ", N_q, N_k, d);
  if (custom_scale) text += format("softmax_scale=%g, ", scale);
  if (causal) text += "causal, ";
  if (misaligned_floats != 0) {
    const int tensor = std::countr_zero(misaligned_mask);
    const bool alone = std::popcount(misaligned_mask) == 1 && tensor < protocol::kTensors;
    text += format(
        "%s off by %d bytes, ", alone ? protocol::tensor_name(tensor) : "pointers",
        4 * misaligned_floats);
  }
  text += family_words(inputs);
  if (upstream != Upstream::kRandn) text += std::string(", ") + upstream_words(upstream);
  return text;
}

std::string Case::json() const {
  std::string text = format(
      "{\"batch\": %d, \"num_heads\": %d, \"num_heads_kv\": %d, \"seq_len_q\": %d, \"seq_len_k\": "
      "%d, "
      "\"head_dim\": %d, \"softmax_scale\": %.9g, \"causal\": %s, \"inputs\": \"%s\"",
      batch, heads, kv_heads(), N_q, N_k, d, static_cast<double>(softmax_scale()),
      causal ? "true" : "false", family_name(inputs));
  if (upstream != Upstream::kRandn) text += format(", \"dO\": \"%s\"", upstream_name(upstream));
  return text + "}";
}

Case with_scale(Case c, double scale) {
  c.scale = scale;
  c.custom_scale = true;
  return c;
}

}  // namespace judge
