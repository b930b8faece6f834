#include "reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace judge {

ReferenceRow reference_row(const Problem& problem, std::int64_t row) {
  const int d = problem.shape.d;
  const int N_k = problem.visible_keys(row);
  const double scale = problem.shape.softmax_scale();
  const float* const q = problem.q_row(row);
  const float* const K = problem.K_head(row);
  const float* const V = problem.V_head(row);

  ReferenceRow result;
  result.O.assign(d, 0.0);
  result.E.assign(d, 0.0);
  result.sum_abs_V.assign(d, 0.0);
  result.LSE = -std::numeric_limits<double>::infinity();
  if (N_k == 0) return result;

  // Pass 1: scores s_j = scale * q . k_j, and g_j, the same sum over absolute values.
  std::vector<double> s(N_k), g(N_k);
  for (int j = 0; j < N_k; ++j) {
    double sum = 0, sum_abs = 0;
    for (int k = 0; k < d; ++k) {
      const double product = static_cast<double>(q[k]) * K[std::int64_t{j} * d + k];
      sum += product;
      sum_abs += std::abs(product);
    }
    s[j] = scale * sum;
    g[j] = std::abs(scale) * sum_abs;
  }

  // Pass 2: the largest score m, the weights exp(s_j - m) and their sum l.
  const double m = *std::max_element(s.begin(), s.end());
  result.s_min = *std::min_element(s.begin(), s.end());
  result.s_max = m;
  std::vector<double> p(N_k);
  double l = 0;
  for (int j = 0; j < N_k; ++j) {
    p[j] = std::exp(s[j] - m);
    l += p[j];
  }
  result.LSE = m + std::log(l);

  // Pass 3: o_k = sum_j p_j v_jk with p_j = weight_j / l.
  // Pass 4: the error terms A_k = sum_j p_j |v_jk| and B_k = sum_j p_j |v_jk| g_j.
  double g_max = 0, g_mean = 0;
  std::vector<double> A(d, 0.0), B(d, 0.0);
  for (int j = 0; j < N_k; ++j) {
    p[j] /= l;
    if (p[j] > 0) g_max = std::max(g_max, g[j]);
    g_mean += p[j] * g[j];
    for (int k = 0; k < d; ++k) {
      const double v = V[std::int64_t{j} * d + k];
      result.O[k] += p[j] * v;
      A[k] += p[j] * std::abs(v);
      B[k] += p[j] * std::abs(v) * g[j];
      result.sum_abs_V[k] += std::abs(v);
    }
  }

  // Pass 5: E_k = A_k (1 + g_max) + B_k.
  for (int k = 0; k < d; ++k) result.E[k] = A[k] * (1 + g_max) + B[k];

  // Pass 6: the same for LSE = m + ln l. An error e_j of score j moves it by p_j e_j, a relative error of a weight by
  // p_j times that; then come the roundings of m, |m| <= g_max, of ln l and of their sum.
  result.LSE_E = 1 + g_max + g_mean + std::log(l);
  return result;
}

}  // namespace judge
