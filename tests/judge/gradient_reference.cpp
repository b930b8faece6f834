#include "gradient_reference.h"

#include <algorithm>
#include <cmath>

#include "runner/protocol.h"

namespace judge {
namespace {

constexpr double kSmallestNormal = 0x1p-126;

double sum_abs(const float* row, int d) {
  double sum = 0;
  for (int k = 0; k < d; ++k) sum += std::abs(static_cast<double>(row[k]));
  return sum;
}

// Adds a term and what may be wrong with it.
void add(Exact* tensor, std::int64_t n, double value, double E, double floor) {
  tensor->value[n] += value;
  tensor->E[n] += E;
  tensor->floor[n] += floor;
}

}  // namespace

void Exact::resize(std::size_t count) {
  value.assign(count, 0);
  E.assign(count, 0);
  floor.assign(count, 0);
}

const Exact& Gradients::tensor(int number) const {
  switch (number) {
    case protocol::kGradQ:
      return dQ;
    case protocol::kGradK:
      return dK;
    case protocol::kGradV:
      return dV;
    case protocol::kDelta:
      return delta;
    case protocol::kGradP:
      return dP;
    default:
      return dS;
  }
}

Gradients reference_gradients(const Problem& problem, bool with_stages) {
  const Case& c = problem.shape;
  const int d = c.d;
  const double scale = c.softmax_scale();
  Gradients result;
  result.dQ.resize(c.q_elements());
  result.dK.resize(c.kv_elements());
  result.dV.resize(c.kv_elements());
  if (with_stages) {
    result.delta.resize(c.elements(protocol::kDelta));
    result.dP.resize(c.elements(protocol::kGradP));
    result.dS.resize(c.elements(protocol::kGradS));
  }

  for (std::int64_t row = 0; row < c.rows(); ++row) {
    const int N_k = problem.visible_keys(row);
    if (N_k == 0) continue;  // all gradients of a row that sees no key are 0
    const float* const q = problem.q_row(row);
    const float* const K = problem.K_head(row);
    const float* const V = problem.V_head(row);
    const float* const dO = problem.inputs.dO.data() + row * d;
    const std::int64_t first_key = problem.kv_head(row) * c.N_k;

    // Pass 1: scores s_j = scale * q . k_j, and g_j, the same sum over absolute values.
    std::vector<double> s(N_k), g(N_k);
    for (int j = 0; j < N_k; ++j) {
      double sum = 0, sum_of_abs = 0;
      for (int k = 0; k < d; ++k) {
        const double product = static_cast<double>(q[k]) * K[std::int64_t{j} * d + k];
        sum += product;
        sum_of_abs += std::abs(product);
      }
      s[j] = scale * sum;
      g[j] = std::abs(scale) * sum_of_abs;
    }

    // Pass 2: p_j = exp(s_j - m) / l. In units of rounding its relative error is e_j: that of s_j, that of
    // LSE = m + ln l, and its own.
    const double m = *std::max_element(s.begin(), s.end());
    std::vector<double> p(N_k), e(N_k);
    double l = 0, g_max = 0;
    for (int j = 0; j < N_k; ++j) l += p[j] = std::exp(s[j] - m);
    for (int j = 0; j < N_k; ++j) {
      p[j] /= l;
      if (p[j] > 0) g_max = std::max(g_max, g[j]);
    }
    for (int j = 0; j < N_k; ++j) e[j] = 1 + g[j] + g_max + std::log(l);

    // Pass 3: dp_j = dO . v_j, h_j, the same sum over absolute values, and D = sum_j p_j dp_j = dO . O.
    std::vector<double> dp(N_k), h(N_k), v_size(N_k);
    double D = 0, D_E = 0, mean_v_size = 0;
    for (int j = 0; j < N_k; ++j) {
      const float* const v = V + std::int64_t{j} * d;
      for (int k = 0; k < d; ++k) {
        const double product = static_cast<double>(dO[k]) * v[k];
        dp[j] += product;
        h[j] += std::abs(product);
      }
      v_size[j] = sum_abs(v, d);
      D += p[j] * dp[j];
      D_E += p[j] * h[j] * (1 + e[j]);
      mean_v_size += p[j] * v_size[j];
    }

    // What is lost where a product or a tensor's subnormal element becomes zero.
    const double dO_size = sum_abs(dO, d);
    const auto dp_floor = [&](double v) { return kSmallestNormal * (2 * d + dO_size + v); };
    if (with_stages) add(&result.delta, row, D, D_E, dp_floor(mean_v_size));

    // Pass 4: ds_j = p_j (dp_j - D), dV_j += p_j dO, dQ += scale ds_j k_j, dK_j += scale ds_j q.
    for (int j = 0; j < N_k; ++j) {
      const double difference = dp[j] - D;
      const double ds = p[j] * difference;
      const double ds_E = p[j] * ((1 + e[j]) * std::abs(difference) + h[j] + D_E);
      const double ds_floor = kSmallestNormal * (1 + std::abs(difference)) +
                              p[j] * (dp_floor(v_size[j]) + dp_floor(mean_v_size));
      if (with_stages) {
        add(&result.dP, row * c.N_k + j, dp[j], h[j], dp_floor(v_size[j]));
        add(&result.dS, row * c.N_k + j, ds, ds_E, ds_floor);
      }
      const double term_E = std::abs(scale) * (ds_E + std::abs(ds));
      const double term_floor = std::abs(scale) * ds_floor;
      for (int k = 0; k < d; ++k) {
        const std::int64_t of_key = (first_key + j) * d + k;
        const double k_jk = K[std::int64_t{j} * d + k];
        const double do_abs = std::abs(static_cast<double>(dO[k]));
        add(&result.dV, of_key, p[j] * dO[k], p[j] * do_abs * (1 + e[j]),
            kSmallestNormal * (1 + do_abs));
        add(&result.dQ, row * d + k, scale * ds * k_jk, std::abs(k_jk) * term_E,
            std::abs(k_jk) * term_floor + kSmallestNormal);
        add(&result.dK, of_key, scale * ds * q[k], std::abs(static_cast<double>(q[k])) * term_E,
            std::abs(static_cast<double>(q[k])) * term_floor + kSmallestNormal);
      }
    }
  }
  return result;
}

}  // namespace judge
