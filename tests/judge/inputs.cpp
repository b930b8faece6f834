#include "inputs.h"

#include <algorithm>
#include <cmath>

#include "random.h"
#include "reference.h"
#include "runner/protocol.h"

namespace judge {
namespace {

using Rows = std::vector<float>;

void fill_normal(Rows& rows, Random& random, float factor = 1.0f) {
  for (float& value : rows) value = factor * random.normal();
}

// A direction in d dimensions: d normal numbers of length 1.
std::vector<double> unit_vector(int d, Random& random) {
  std::vector<double> direction(d);
  double square = 0;
  while (square < 1e-6) {
    square = 0;
    for (double& x : direction) {
      x = random.normal();
      square += x * x;
    }
  }
  for (double& x : direction) x /= std::sqrt(square);
  return direction;
}

// Q and K such that the score of key j is level(j) for every query, give or take about noise.
//
// All rows of Q point along one direction u, and row j of K has the component along u that makes the score come
// out; sqrt(|level| / scale) is shared evenly between q and k. The rest of K is noise across u, which Q does not
// see, and a little noise along u, which it does.
template <typename Level>
void set_scores(
    const Case& c, Random& random, Inputs& inputs, double largest, double noise, Level level) {
  double scale = c.softmax_scale();
  if (scale == 0) scale = 1;  // scores are 0 whatever the inputs are
  const double q_length = std::sqrt(std::max(largest, 1.0) / std::abs(scale));
  const std::int64_t q_heads = std::int64_t{c.batch} * c.heads;
  const std::int64_t kv_heads = std::int64_t{c.batch} * c.kv_heads();
  const std::vector<double> u = unit_vector(c.d, random);
  for (std::int64_t row = 0; row < q_heads * c.N_q; ++row) {
    const double length = q_length * (1 + 0.01 * random.uniform());
    for (int k = 0; k < c.d; ++k) inputs.Q[row * c.d + k] = static_cast<float>(length * u[k]);
  }
  for (std::int64_t row = 0; row < kv_heads * c.N_k; ++row) {
    const int j = static_cast<int>(row % c.N_k);
    std::vector<double> across(c.d);
    double along = 0;
    for (int k = 0; k < c.d; ++k) {
      across[k] = random.normal();
      along += across[k] * u[k];
    }
    const double wanted = (level(j) + noise * random.normal()) / (scale * q_length);
    for (int k = 0; k < c.d; ++k)
      inputs.K[row * c.d + k] = static_cast<float>(across[k] - along * u[k] + wanted * u[k]);
  }
}

// Every key is a random corner of a cube, every query a multiple of one key: that key's score is 60, the others'
// are smaller by the cosine between two corners.
void set_one_hot(const Case& c, Random& random, Inputs& inputs) {
  const double scale = c.softmax_scale() == 0 ? 1 : c.softmax_scale();
  const std::int64_t group = c.heads / c.kv_heads();
  for (float& value : inputs.K) value = random.below(2) == 0 ? -1.0f : 1.0f;
  if (c.N_k == 0) return;
  for (std::int64_t row = 0; row < std::int64_t{c.batch} * c.heads * c.N_q; ++row) {
    const std::int64_t head = row / c.N_q;
    const std::int64_t kv_head = head / c.heads * c.kv_heads() + head % c.heads / group;
    const std::int64_t key = static_cast<std::int64_t>(random.below(c.N_k));
    for (int k = 0; k < c.d; ++k)
      inputs.Q[row * c.d + k] =
          static_cast<float>(60 / (scale * c.d) * inputs.K[(kv_head * c.N_k + key) * c.d + k]);
  }
}

// dO, row by row: for the row of head and query i.
void draw_upstream(const Case& c, Random& random, Inputs* inputs) {
  inputs->dO.resize(c.q_elements());
  fill_normal(inputs->dO, random);
  const auto scale_rows = [&](auto factor) {
    for (std::size_t n = 0; n < inputs->dO.size(); ++n)
      inputs->dO[n] *= static_cast<float>(factor(static_cast<int>(n / c.d % c.N_q)));
  };
  switch (c.upstream) {
    case Upstream::kRandn:
      break;
    case Upstream::kEqualsO:
      inputs->dO = inputs->O;
      break;
    case Upstream::kRowTag:
      for (std::size_t n = 0; n < inputs->dO.size(); ++n)
        inputs->dO[n] = static_cast<float>(n / c.d % c.N_q + 1);
      break;
    case Upstream::kRising:
      scale_rows([&](int i) { return std::pow(1e4, static_cast<double>(i) / c.N_q); });
      break;
    case Upstream::kOneRow:
      scale_rows([&](int i) { return i == c.N_q / 2 ? 1 : 0; });
      break;
    case Upstream::kCancel:
      for (std::size_t n = 0; n < inputs->dO.size(); ++n)
        inputs->dO[n] += n / c.d % c.N_q % 2 == 0 ? 1000.0f : -1000.0f;
      break;
    case Upstream::kDenorm:
      scale_rows([](int) { return 1e-39; });
      break;
  }
}

}  // namespace

const std::vector<float>& Inputs::tensor(int number) const {
  switch (number) {
    case protocol::kQ:
      return Q;
    case protocol::kK:
      return K;
    case protocol::kV:
      return V;
    case protocol::kO:
      return O;
    case protocol::kLSE:
      return LSE;
    default:
      return dO;
  }
}

std::int64_t Problem::kv_head(std::int64_t row) const {
  const std::int64_t head = row / shape.N_q;
  const std::int64_t group = shape.heads / shape.kv_heads();
  return head / shape.heads * shape.kv_heads() + head % shape.heads / group;
}

const float* Problem::q_row(std::int64_t row) const { return inputs.Q.data() + row * shape.d; }

const float* Problem::K_head(std::int64_t row) const {
  return inputs.K.data() + kv_head(row) * shape.N_k * shape.d;
}

const float* Problem::V_head(std::int64_t row) const {
  return inputs.V.data() + kv_head(row) * shape.N_k * shape.d;
}

int Problem::visible_keys(std::int64_t row) const {
  if (!shape.causal) return shape.N_k;
  const std::int64_t i = row % shape.N_q;
  return static_cast<int>(std::clamp<std::int64_t>(i + shape.N_k - shape.N_q + 1, 0, shape.N_k));
}

Problem draw(const Case& c, std::uint64_t seed) {
  Problem problem{c, {}, seed};
  Inputs& inputs = problem.inputs;
  inputs.Q.resize(c.q_elements());
  inputs.K.resize(c.kv_elements());
  inputs.V.resize(inputs.K.size());
  Random random(seed);

  fill_normal(inputs.V, random);
  fill_normal(inputs.Q, random);
  fill_normal(inputs.K, random);
  const double last = std::max(c.N_k - 1, 1);
  switch (c.inputs) {
    case Family::kRandn:
      break;
    case Family::kRising:
      set_scores(c, random, inputs, 40, 0.1, [&](int j) { return 40 * j / last; });
      break;
    case Family::kFalling:
      set_scores(c, random, inputs, 40, 0.1, [&](int j) { return 40 * (1 - j / last); });
      break;
    case Family::kAllNeg200:
      set_scores(c, random, inputs, 200, 1, [](int) { return -200; });
      break;
    case Family::kNeg2e4:
      set_scores(c, random, inputs, 20000, 1, [](int) { return -20000; });
      break;
    case Family::kNeg6e4:
      set_scores(c, random, inputs, 60000, 1, [](int) { return -60000; });
      break;
    case Family::kLogit1e4:
      fill_normal(inputs.Q, random, 3000);
      break;
    case Family::kUniform:
      fill_normal(inputs.Q, random, 0);
      break;
    case Family::kRowTag:
      for (std::size_t n = 0; n < inputs.V.size(); ++n)
        inputs.V[n] = static_cast<float>(n / c.d % c.N_k + 1);
      break;
    case Family::kOneHot:
      set_one_hot(c, random, inputs);
      break;
    case Family::kCancel:
      fill_normal(inputs.Q, random, 0.1f);
      for (std::size_t n = 0; n < inputs.V.size(); ++n)
        inputs.V[n] += n / c.d % 2 == 0 ? 1000.0f : -1000.0f;
      break;
    case Family::kDenorm:
      fill_normal(inputs.V, random, 1e-39f);
      break;
  }
  return problem;
}

Problem draw_backward(const Case& c, std::uint64_t seed) {
  Problem problem = draw(c, seed);
  Inputs& inputs = problem.inputs;
  inputs.O.resize(c.q_elements());
  inputs.LSE.resize(c.q_elements() > 0 ? c.rows() : 0);
  // A shape that is to be refused has none.
  const bool has_result = c.kv_heads() > 0 && c.heads % c.kv_heads() == 0 && c.N_k >= 0;
  for (std::size_t row = 0; has_result && row < inputs.LSE.size(); ++row) {
    const ReferenceRow reference = reference_row(problem, static_cast<std::int64_t>(row));
    inputs.LSE[row] = static_cast<float>(reference.LSE);
    for (int k = 0; k < c.d; ++k) inputs.O[row * c.d + k] = static_cast<float>(reference.O[k]);
  }
  Random random(derive_seed(seed, "dO", 0));
  draw_upstream(c, random, &inputs);
  return problem;
}

}  // namespace judge
