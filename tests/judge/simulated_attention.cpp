#include "simulated_attention.h"

#include <algorithm>
#include <cmath>

namespace judge {
namespace {

// Calls row(q, K, V, o) for every query.
template <typename Row>
std::vector<float> every_row(const Problem& problem, Row row) {
  const Case& c = problem.shape;
  std::vector<float> O(c.q_elements());
  for (std::int64_t n = 0; n < c.rows(); ++n)
    row(problem.q_row(n), problem.K_head(n), problem.V_head(n), O.data() + n * c.d);
  return O;
}

float dot(const float* q, const float* k, int d) {
  float sum = 0;
  for (int t = 0; t < d; ++t) sum += q[t] * k[t];
  return sum;
}

template <typename Accumulator>
std::vector<float> two_pass(const Problem& problem) {
  const Case& c = problem.shape;
  return every_row(problem, [&](const float* q, const float* K, const float* V, float* o) {
    std::vector<Accumulator> s(c.N_k);
    Accumulator m = -INFINITY, l = 0;
    for (int j = 0; j < c.N_k; ++j) {
      Accumulator sum = 0;
      for (int k = 0; k < c.d; ++k) sum += static_cast<Accumulator>(q[k]) * K[j * c.d + k];
      s[j] = sum * c.softmax_scale();
      m = std::max(m, s[j]);
    }
    for (Accumulator& x : s) l += x = std::exp(x - m);
    for (int k = 0; k < c.d; ++k) {
      Accumulator sum = 0;
      for (int j = 0; j < c.N_k; ++j) sum += s[j] * V[j * c.d + k];
      o[k] = static_cast<float>(sum / l);
    }
  });
}

struct Online {
  bool reversed = false;
  bool base_two = false;
  bool scaled_queries = false;
  bool rescale = true;
  float first_maximum = -INFINITY;
};

std::vector<float> online(const Problem& problem, const Online& how) {
  const Case& c = problem.shape;
  const float scale = c.softmax_scale() * (how.base_two ? 1.44269504f : 1.0f);
  const auto power = [&](float x) { return how.base_two ? std::exp2(x) : std::exp(x); };
  return every_row(problem, [&](const float* q, const float* K, const float* V, float* o) {
    std::vector<float> scaled(q, q + c.d);
    if (how.scaled_queries)
      for (float& x : scaled) x *= scale;
    std::fill(o, o + c.d, 0.0f);
    float m = how.first_maximum, l = 0;
    for (int n = 0; n < c.N_k; ++n) {
      const int j = how.reversed ? c.N_k - 1 - n : n;
      float s = dot(scaled.data(), K + j * c.d, c.d);
      if (!how.scaled_queries) s *= scale;
      const float m_new = std::max(m, s);
      const float rescale = how.rescale ? power(m - m_new) : 1.0f;
      const float p = power(s - m_new);
      l = l * rescale + p;
      for (int k = 0; k < c.d; ++k) o[k] = o[k] * rescale + p * V[j * c.d + k];
      m = m_new;
    }
    for (int k = 0; k < c.d; ++k) o[k] /= l;
  });
}

std::vector<float> flushing(const Problem& problem) {
  std::vector<float> O = two_pass<float>(problem);
  for (float& o : O)
    if (std::abs(o) < 0x1p-126f) o = 0;
  return O;
}

}  // namespace

std::vector<Variant> right_variants() {
  return {
      {"two passes", two_pass<float>},
      {"two passes in double", two_pass<double>},
      {"online", [](const Problem& p) { return online(p, {}); }},
      {"online from the last key", [](const Problem& p) { return online(p, {.reversed = true}); }},
      {"online with exp2", [](const Problem& p) { return online(p, {.base_two = true}); }},
      {"online with scaled queries",
       [](const Problem& p) { return online(p, {.scaled_queries = true}); }},
      {"online with scaled queries and exp2",
       [](const Problem& p) { return online(p, {.base_two = true, .scaled_queries = true}); }},
      {"two passes, subnormal numbers flushed to zero", flushing},
  };
}

std::vector<Variant> wrong_variants() {
  return {
      {"no rescale", [](const Problem& p) { return online(p, {.rescale = false}); }},
      {"maximum starts at 0", [](const Problem& p) { return online(p, {.first_maximum = 0}); }},
      {"maximum starts at -100",
       [](const Problem& p) { return online(p, {.first_maximum = -100}); }},
      {"maximum starts at -10,000",
       [](const Problem& p) { return online(p, {.first_maximum = -1e4f}); }},
      {"maximum starts at -50,000",
       [](const Problem& p) { return online(p, {.first_maximum = -5e4f}); }},
      {"last key left out",
       [](const Problem& p) {
         Problem shorter = p;
         shorter.shape.N_k -= 1;
         const int d = p.shape.d;
         std::vector<float> K, V;
         for (std::int64_t head = 0; head < p.shape.batch * p.shape.kv_heads(); ++head) {
           const auto first = head * p.shape.N_k * d;
           const auto last = first + shorter.shape.N_k * d;
           K.insert(K.end(), p.inputs.K.begin() + first, p.inputs.K.begin() + last);
           V.insert(V.end(), p.inputs.V.begin() + first, p.inputs.V.begin() + last);
         }
         shorter.inputs.K = K;
         shorter.inputs.V = V;
         return two_pass<float>(shorter);
       }},
      {"scores in half precision",
       [](const Problem& p) {
         Problem rounded = p;
         for (float& x : rounded.inputs.Q) x = static_cast<float>(static_cast<_Float16>(x));
         for (float& x : rounded.inputs.K) x = static_cast<float>(static_cast<_Float16>(x));
         return two_pass<float>(rounded);
       }},
  };
}

namespace {

// The running maximum and sum of one row.
struct Running {
  float m, l;
};

// Calls lse(m, l) for every row, whose scores are taken in tiles of this many keys.
template <typename Lse>
std::vector<float> every_lse(const Problem& problem, int tile, bool base_two, Lse lse) {
  const Case& c = problem.shape;
  const float scale = c.softmax_scale() * (base_two ? 1.44269504f : 1.0f);
  const auto power = [&](float x) { return base_two ? std::exp2(x) : std::exp(x); };
  std::vector<float> LSE;
  for (std::int64_t row = 0; row < c.rows(); ++row) {
    Running r{-INFINITY, 0};
    const int N_k = problem.visible_keys(row);
    for (int first = 0; first < N_k; first += tile) {
      const int end = std::min(first + tile, N_k);
      std::vector<float> s;
      for (int j = first; j < end; ++j)
        s.push_back(scale * dot(problem.q_row(row), problem.K_head(row) + j * c.d, c.d));
      const float m_new = std::max(r.m, *std::max_element(s.begin(), s.end()));
      r.l *= power(r.m - m_new);
      for (const float x : s) r.l += power(x - m_new);
      r.m = m_new;
    }
    LSE.push_back(lse(r));
  }
  return LSE;
}

}  // namespace

std::vector<LseVariant> right_lse_variants() {
  constexpr float kLn2 = 0.693147181f;
  return {
      {"two passes",
       [](const Problem& p) {
         return every_lse(p, 1 << 20, false, [](Running r) { return r.m + std::log(r.l); });
       }},
      {"online, key by key",
       [](const Problem& p) {
         return every_lse(p, 1, false, [](Running r) { return r.m + std::log(r.l); });
       }},
      {"online, tiles of 32",
       [](const Problem& p) {
         return every_lse(p, 32, false, [](Running r) { return r.m + std::log(r.l); });
       }},
      {"online to base 2, converted at the end",
       [](const Problem& p) {
         return every_lse(p, 32, true, [](Running r) { return (r.m + std::log2(r.l)) * kLn2; });
       }},
      {"online to base 2, converted in two parts",
       [](const Problem& p) {
         return every_lse(p, 8, true, [](Running r) { return r.m * kLn2 + std::log(r.l); });
       }},
  };
}

std::vector<LseVariant> wrong_lse_variants() {
  return {
      {"base 2",
       [](const Problem& p) {
         return every_lse(p, 32, true, [](Running r) { return r.m + std::log2(r.l); });
       }},
      {"maximum alone",
       [](const Problem& p) { return every_lse(p, 32, false, [](Running r) { return r.m; }); }},
      {"logarithm of the sum alone",
       [](const Problem& p) {
         return every_lse(p, 32, false, [](Running r) { return std::log(r.l); });
       }},
      {"rounded to half precision",
       [](const Problem& p) {
         return every_lse(p, 32, false, [](Running r) {
           return static_cast<float>(static_cast<_Float16>(r.m + std::log(r.l)));
         });
       }},
      {"a sum with something added against division by 0",
       [](const Problem& p) {
         return every_lse(p, 32, false, [](Running r) { return r.m + std::log(r.l + 1e-3f); });
       }},
      {"0 for a row without keys",
       [](const Problem& p) {
         return every_lse(
             p, 32, false, [](Running r) { return r.l == 0 ? 0 : r.m + std::log(r.l); });
       }},
  };
}

}  // namespace judge
