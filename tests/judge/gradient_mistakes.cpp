#include "gradient_mistakes.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "runner/protocol.h"
#include "text.h"

namespace judge {
namespace {

using Mistaken = GradientMistake;

constexpr std::int64_t kMostProducts = 8'000'000;  // of a simulation
constexpr double kUnexplained = 0.05;              // of the distance to the reference may be left
constexpr int kTiles[] = {8, 16, 32, 64, 128};

// Keys first .. end - 1 are seen by query i.
struct Seen {
  int first, end;
};

Seen seen(const Mistaken& mistake, const Case& c, int i) {
  if (!c.causal) return {0, c.N_k};
  const int offset = c.N_k - c.N_q;
  const auto up_to = [&](int end) { return Seen{0, std::clamp(end, 0, c.N_k)}; };
  switch (mistake.mask) {
    case Mask::kNone:
      return {0, c.N_k};
    case Mask::kTopLeft:
      return up_to(i + 1);
    case Mask::kStrict:
      return up_to(i + offset);
    case Mask::kOneMore:
      return up_to(i + offset + 2);
    case Mask::kOffsetSubtracted:
      return up_to(i - offset + 1);
    case Mask::kUpper:
      return {std::clamp(i + offset, 0, c.N_k), c.N_k};
    default:
      return up_to(i + offset + 1);
  }
}

// Whether number n of a sum over `count` is left out.
bool left_out(const Mistaken& mistake, int n, int count) {
  if (mistake.whole_tiles_of > 0)
    return n >= count / mistake.whole_tiles_of * mistake.whole_tiles_of;
  if (mistake.last_tile_of > 0)
    return n < (count - 1) / mistake.last_tile_of * mistake.last_tile_of;
  return false;
}

double dot(const float* a, const float* b, int d) {
  double sum = 0;
  for (int k = 0; k < d; ++k) sum += static_cast<double>(a[k]) * b[k];
  return sum;
}

// True if the mistake cannot be made in such a case, or changes nothing there.
bool impossible(const Mistaken& mistake, const Case& c) {
  const bool needs_square =
      mistake.dQ_with_Q || mistake.dK_with_K || mistake.transposed || mistake.swapped;
  if (needs_square && (c.N_q != c.N_k || c.heads != c.kv_heads())) return true;
  if (mistake.mask != Mask::kContract && !c.causal) return true;
  const bool of_heads = mistake.delta == Mistaken::Delta::kHeadZero ||
                        mistake.lse == Mistaken::Lse::kHeadZero || mistake.kv_head_zero;
  if (of_heads && c.batch * c.heads == 1) return true;
  if (mistake.own_scale && !c.custom_scale) return true;
  return c.rows() * c.N_k * c.d > kMostProducts;
}

}  // namespace

std::vector<double> simulate(const GradientMistake& mistake, const Problem& problem, int tensor) {
  const Case& c = problem.shape;
  if (impossible(mistake, c)) return {};
  const int d = c.d;
  const double scale =
      mistake.own_scale ? 1 / std::sqrt(static_cast<double>(d)) : c.softmax_scale();
  const Inputs& in = problem.inputs;
  std::map<int, std::vector<double>> out;
  for (const int t :
       {protocol::kGradQ, protocol::kGradK, protocol::kGradV, protocol::kDelta, protocol::kGradP,
        protocol::kGradS})
    out[t].assign(c.elements(t), 0.0);

  for (std::int64_t row = 0; row < c.rows(); ++row) {
    const int i = static_cast<int>(row % c.N_q);
    // Row i of head 0, for those who forget which head they work on.
    const std::int64_t row_for_delta = mistake.delta == Mistaken::Delta::kHeadZero ? i : row;
    const std::int64_t row_for_lse = mistake.lse == Mistaken::Lse::kHeadZero ? i : row;
    const float* const K = mistake.kv_head_zero ? in.K.data() : problem.K_head(row);
    const float* const V = mistake.kv_head_zero ? in.V.data() : problem.V_head(row);
    const float* const q = problem.q_row(row);
    const float* const dO = in.dO.data() + row * d;
    const float* const O = in.O.data() + row * d;

    double delta = 0;
    switch (mistake.delta) {
      case Mistaken::Delta::kRight:
      case Mistaken::Delta::kHeadZero:
        delta = dot(in.dO.data() + row_for_delta * d, in.O.data() + row_for_delta * d, d);
        break;
      case Mistaken::Delta::kMissing:
        break;
      case Mistaken::Delta::kAdded:
        delta = -dot(dO, O, d);
        break;
      case Mistaken::Delta::kFromO:
        delta = dot(O, O, d);
        break;
      case Mistaken::Delta::kFromGradO:
        delta = dot(dO, dO, d);
        break;
    }
    out[protocol::kDelta][row] = delta;

    const double lse = in.LSE[row_for_lse];
    const Seen keys = seen(mistake, c, i);
    for (int j = keys.first; j < keys.end; ++j) {
      double s = dot(q, K + std::int64_t{j} * d, d);
      for (int n = 0; n < mistake.forward_scale; ++n) s *= scale;
      constexpr double kLog2e = 1.4426950408889634;
      const double p = mistake.lse == Mistaken::Lse::kMissing      ? std::exp(s)
                       : mistake.lse == Mistaken::Lse::kMixedBases ? std::exp2(s * kLog2e - lse)
                       : mistake.lse == Mistaken::Lse::kBaseTwo    ? std::exp2(s - lse)
                                                                   : std::exp(s - lse);
      double dp = dot(dO, V + std::int64_t{j} * d, d);
      for (int n = 0; n < mistake.dP_scale; ++n) dp *= scale;
      double ds = p * (dp - delta);
      if (mistake.jacobian == Mistaken::Jacobian::kWithoutP) ds = dp - delta;
      if (mistake.jacobian == Mistaken::Jacobian::kDiagonal) ds = p * (1 - p) * dp;
      out[protocol::kGradP][row * c.N_k + j] = dp;
      out[protocol::kGradS][row * c.N_k + j] = ds;

      const double dV_weight = mistake.dV_from == Mistaken::FromWhat::kP       ? p
                               : mistake.dV_from == Mistaken::FromWhat::kGradS ? ds
                                                                               : dp;
      double dQ_weight = ds, dK_weight = ds;
      for (int n = 0; n < mistake.dQ_scale; ++n) dQ_weight *= scale;
      for (int n = 0; n < mistake.dK_scale; ++n) dK_weight *= scale;
      // With the matrices transposed, what belongs to (i, j) is added where (j, i) belongs.
      const std::int64_t q_row = mistake.transposed ? row - i + j : row;
      const std::int64_t key = problem.kv_head(row) * c.N_k + (mistake.transposed ? i : j);
      const float* const k_row = K + std::int64_t{mistake.transposed ? i : j} * d;
      const float* const q_other = problem.q_row(q_row);
      const float* const dV_row = (mistake.dV_with_O ? in.O : in.dO).data() + q_row * d;
      const bool no_dQ = left_out(mistake, j, c.N_k);
      const bool no_dK = left_out(mistake, i, c.N_q);
      for (int k = 0; k < d; ++k) {
        if (!no_dQ)
          out[protocol::kGradQ][q_row * d + k] +=
              dQ_weight * (mistake.dQ_with_Q ? problem.q_row(row - i + j)[k] : k_row[k]);
        if (no_dK) continue;
        out[protocol::kGradK][key * d + k] +=
            dK_weight * (mistake.dK_with_K ? K[std::int64_t{i} * d + k] : q_other[k]);
        out[protocol::kGradV][key * d + k] += dV_weight * dV_row[k];
      }
    }
  }
  if (mistake.swapped) std::swap(out[protocol::kGradQ], out[protocol::kGradK]);
  return out[tensor];
}

std::vector<GradientMistake> gradient_mistakes() {
  using Delta = Mistaken::Delta;
  using Lse = Mistaken::Lse;
  using Jacobian = Mistaken::Jacobian;
  using FromWhat = Mistaken::FromWhat;
  std::vector<GradientMistake> all = {
      {.slug = "dq-scale-missing",
       .words =
           "softmax_scale is missing in dQ: S = softmax_scale * Q K^T, so its derivative has it",
       .dQ_scale = 0},
      {.slug = "dk-scale-missing",
       .words =
           "softmax_scale is missing in dK: S = softmax_scale * Q K^T, so its derivative has it",
       .dK_scale = 0},
      {.slug = "dq-scale-twice", .words = "softmax_scale is applied to dQ twice", .dQ_scale = 2},
      {.slug = "dk-scale-twice", .words = "softmax_scale is applied to dK twice", .dK_scale = 2},
      {.slug = "scale-missing",
       .words =
           "P is computed from scores without softmax_scale: it is not the P of the forward pass",
       .forward_scale = 0},
      {.slug = "scale-twice",
       .words = "P is computed from scores with softmax_scale applied twice",
       .forward_scale = 2},
      {.slug = "scale-ignored",
       .words = "1 / sqrt(head_dim) is used instead of the argument softmax_scale",
       .own_scale = true},
      {.slug = "delta-missing",
       .words = "D is not subtracted: dS = P o (dP - D)",
       .delta = Delta::kMissing},
      {.slug = "delta-added",
       .words = "D is added instead of subtracted: dS = P o (dP - D)",
       .delta = Delta::kAdded},
      {.slug = "delta-of-o",
       .words = "D is the row sum of O o O; it is that of dO o O",
       .delta = Delta::kFromO},
      {.slug = "delta-of-do",
       .words = "D is the row sum of dO o dO; it is that of dO o O",
       .delta = Delta::kFromGradO},
      {.slug = "delta-head-zero",
       .words = "every head uses D of head 0",
       .delta = Delta::kHeadZero},
      {.slug = "lse-head-zero", .words = "every head uses LSE of head 0", .lse = Lse::kHeadZero},
      {.slug = "lse-missing",
       .words = "LSE is not subtracted: P = exp(S - LSE)",
       .lse = Lse::kMissing},
      {.slug = "lse-base-two",
       .words = "2 is raised to a power of natural logarithms: P = exp(S - LSE)",
       .lse = Lse::kBaseTwo},
      {.slug = "lse-base-two",
       .words =
           "LSE is a natural logarithm: with exp2 it takes the factor log2(e), as the score does",
       .lse = Lse::kMixedBases},
      {.slug = "dp-scaled",
       .words = "dP is multiplied by softmax_scale: dP = dO V^T",
       .dP_scale = 1},
      {.slug = "p-missing",
       .words = "dS lacks the factor P: dS = P o (dP - D)",
       .jacobian = Jacobian::kWithoutP},
      {.slug = "jacobian-diagonal",
       .words =
           "dS = P (1 - P) dP: a weight depends on the scores of all keys of its row, and D stands "
           "for the others",
       .jacobian = Jacobian::kDiagonal},
      {.slug = "dv-from-ds",
       .words = "dV is made of dS; it is P^T dO",
       .dV_from = FromWhat::kGradS},
      {.slug = "dv-from-dp",
       .words = "dV is made of dP; it is P^T dO",
       .dV_from = FromWhat::kGradP},
      {.slug = "dv-with-o", .words = "dV is P^T O; it is P^T dO", .dV_with_O = true},
      {.slug = "dq-with-q", .words = "dQ is dS Q; it is dS K", .dQ_with_Q = true},
      {.slug = "dk-with-k", .words = "dK is dS^T K; it is dS^T Q", .dK_with_K = true},
      {.slug = "transposed",
       .words = "the matrix of weights is transposed: dK and dV add up over queries, dQ over keys",
       .transposed = true},
      {.slug = "dq-dk-swapped", .words = "dQ and dK are swapped", .swapped = true},
      {.slug = "kv-head-offset-missing",
       .words = "every head reads K and V of head 0",
       .kv_head_zero = true},
      {.slug = "mask-missing",
       .words = "the causal mask is missing: keys get gradient from queries that never saw them",
       .mask = Mask::kNone},
      {.slug = "mask-top-left",
       .words = "the mask is aligned top-left, j <= i; it is j <= i + N_k - N_q",
       .mask = Mask::kTopLeft},
      {.slug = "mask-strict",
       .words = "a query does not see its own position: it is j <= i + N_k - N_q",
       .mask = Mask::kStrict},
      {.slug = "mask-one-more",
       .words = "a query sees one key too many: it is j <= i + N_k - N_q",
       .mask = Mask::kOneMore},
      {.slug = "mask-offset-sign",
       .words = "the mask has N_k - N_q with the wrong sign",
       .mask = Mask::kOffsetSubtracted},
      {.slug = "mask-upper",
       .words = "the mask hides the past and shows the future",
       .mask = Mask::kUpper},
  };
  for (const int tile : kTiles) {
    all.push_back(
        {.slug = "partial-tile-dropped",
         .words = format("the sum leaves out the last, partial tile of %d", tile),
         .words_for_any_tile = "the sum leaves out the last, partial tile",
         .whole_tiles_of = tile});
    all.push_back(
        {.slug = "last-tile-only",
         .words = format(
             "each tile of %d overwrites the sum of those before it: += is needed where = stands",
             tile),
         .words_for_any_tile =
             "each tile overwrites the sum of those before it: += is needed where = stands",
         .last_tile_of = tile});
  }
  return all;
}

Diagnosis diagnose_gradient(
    const Problem& problem, const Exact& exact, int tensor, const float* got,
    const Comparison& comparison) {
  const std::vector<double> output(got, got + exact.value.size());
  if (std::all_of(output.begin(), output.end(), [](double x) { return x == 0; }))
    return {"all-zero", format("%s is 0 everywhere", protocol::tensor_name(tensor)), true};
  // Nothing can be told from numbers of which none is finite.
  if (comparison.not_finite == static_cast<std::int64_t>(output.size())) return {};
  const double to_reference = relative_distance(output, exact.value);
  struct Match {
    double distance;
    std::string words;
  };
  std::map<std::string, Match> best_of_class;
  for (const GradientMistake& mistake : gradient_mistakes()) {
    const std::vector<double> simulated = simulate(mistake, problem, tensor);
    if (simulated.empty()) continue;
    const double away = relative_distance(output, simulated);
    const auto found = best_of_class.find(mistake.slug);
    if (found == best_of_class.end() || away < found->second.distance)
      best_of_class[mistake.slug] = {away, mistake.words};
    else if (away == found->second.distance && !mistake.words_for_any_tile.empty())
      found->second.words = mistake.words_for_any_tile;
  }
  const auto closer = [](const auto& a, const auto& b) {
    return a.second.distance < b.second.distance;
  };
  const auto best = std::min_element(best_of_class.begin(), best_of_class.end(), closer);
  if (best == best_of_class.end() || best->second.distance > kUnexplained * to_reference) return {};
  double runner_up = to_reference;
  for (const auto& [slug, match] : best_of_class)
    if (slug != best->first) runner_up = std::min(runner_up, match.distance);
  return {best->first, best->second.words, 2 * best->second.distance <= runner_up};
}

}  // namespace judge
