#include "sampled_reference.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>
#include <thread>

#include "judge/random.h"
#include "judge/reference.h"
#include "runner/protocol.h"

namespace bench {
namespace {

using judge::Case;
using judge::Gradients;
using judge::Problem;

constexpr double kSmallestNormal = 0x1p-126;
constexpr std::int64_t kSampledKeys = 1024;  // from which the bound's share of a query is estimated

// Calls work(n) for every n below count, on all cores.
void for_all(std::int64_t count, const std::function<void(std::int64_t)>& work) {
  std::atomic<std::int64_t> next = 0;
  const auto take = [&] {
    for (std::int64_t n = next++; n < count; n = next++) work(n);
  };
  std::vector<std::thread> threads;
  const std::int64_t cores = std::max(1u, std::thread::hardware_concurrency());
  for (std::int64_t n = 1; n < std::min(cores, count); ++n) threads.emplace_back(take);
  take();
  for (std::thread& thread : threads) thread.join();
}

// Both ends, what lies around the borders of tiles, and some more.
std::vector<std::int64_t> sample(
    std::int64_t length, int drawn, bool borders, judge::Random* random) {
  std::set<std::int64_t> rows = {0, length - 1};
  if (borders) {
    for (const std::int64_t tile : {16, 32, 64, 128})
      for (const std::int64_t row : {tile - 1, tile, length - tile - 1, length - tile})
        rows.insert(row);
    rows.insert(length / 2);
  }
  for (int n = 0; n < drawn; ++n) rows.insert(static_cast<std::int64_t>(random->below(length)));
  std::erase_if(rows, [=](std::int64_t row) { return row < 0 || row >= length; });
  return {rows.begin(), rows.end()};
}

struct Sum {
  double value, of_abs;
};

// Several partial sums, so that the compiler can use vector instructions.
Sum dot(const float* a, const float* b, int d) {
  constexpr int kLanes = 8;
  double value[kLanes] = {}, of_abs[kLanes] = {};
  int k = 0;
  for (; k + kLanes <= d; k += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) {
      const double product = static_cast<double>(a[k + lane]) * b[k + lane];
      value[lane] += product;
      of_abs[lane] += std::abs(product);
    }
  Sum sum = {};
  for (int lane = 0; lane < kLanes; ++lane) {
    sum.value += value[lane];
    sum.of_abs += of_abs[lane];
  }
  for (; k < d; ++k) {
    const double product = static_cast<double>(a[k]) * b[k];
    sum.value += product;
    sum.of_abs += std::abs(product);
  }
  return sum;
}

double sum_abs(const float* row, int d) {
  double sum = 0;
  for (int k = 0; k < d; ++k) sum += std::abs(static_cast<double>(row[k]));
  return sum;
}

// Passes 1 to 3 of judge/gradient_reference.cpp for one query: what every one of its keys needs to know of it.
struct QueryPass {
  double LSE = 0, g_max = 0, log_l = 0;
  double D = 0, D_E = 0, mean_v_size = 0, dO_size = 0;
  // Of every key that was looked at:
  std::vector<double> s, g, p, e, dp, h;

  double relative_error(double score_g) const { return 1 + score_g + g_max + log_l; }
  double dp_floor(double v_size, int d) const {
    return kSmallestNormal * (2 * d + dO_size + v_size);
  }
};

// Looks at every stride-th key that the query sees. With stride 1 all is exact; else LSE and D come from the outputs of
// a forward pass, and the rest is estimated.
void run_pass(
    const Problem& head, std::int64_t query, const std::vector<double>& v_sizes,
    std::int64_t stride, QueryPass* pass) {
  const int d = head.shape.d;
  const double scale = head.shape.softmax_scale();
  const std::int64_t visible = head.visible_keys(query);
  const std::int64_t looked_at = (visible + stride - 1) / stride;
  const float* const q = head.q_row(query);
  const float* const dO = head.inputs.dO.data() + query * d;
  pass->s.resize(looked_at);
  for (auto* const list : {&pass->g, &pass->p, &pass->e, &pass->dp, &pass->h})
    list->resize(looked_at);

  double m = -INFINITY;
  for (std::int64_t n = 0; n < looked_at; ++n) {
    const Sum sum = dot(q, head.inputs.K.data() + n * stride * d, d);
    pass->s[n] = scale * sum.value;
    pass->g[n] = std::abs(scale) * sum.of_abs;
    m = std::max(m, pass->s[n]);
  }
  double l = 0;
  for (std::int64_t n = 0; n < looked_at; ++n) l += std::exp(pass->s[n] - m);
  pass->LSE = stride == 1 ? m + std::log(l) : head.inputs.LSE[query];
  pass->log_l = pass->LSE - m;
  const double part = static_cast<double>(visible) / looked_at;  // of a key that stands for others
  pass->g_max = 0;
  for (std::int64_t n = 0; n < looked_at; ++n) {
    pass->p[n] = stride == 1 ? std::exp(pass->s[n] - m) / l : std::exp(pass->s[n] - pass->LSE);
    if (pass->p[n] > 0) pass->g_max = std::max(pass->g_max, pass->g[n]);
  }
  pass->D = pass->D_E = pass->mean_v_size = 0;
  pass->dO_size = sum_abs(dO, d);
  for (std::int64_t n = 0; n < looked_at; ++n) {
    pass->e[n] = pass->relative_error(pass->g[n]);
    const Sum sum = dot(dO, head.inputs.V.data() + n * stride * d, d);
    pass->dp[n] = sum.value;
    pass->h[n] = sum.of_abs;
    pass->D += pass->p[n] * pass->dp[n];
    pass->D_E += part * pass->p[n] * pass->h[n] * (1 + pass->e[n]);
    pass->mean_v_size += part * pass->p[n] * v_sizes[n * stride];
  }
  if (stride > 1) pass->D = dot(dO, head.inputs.O.data() + query * d, d).value;
}

// What a pair of query and key adds to dQ and dK, besides the factor k or q.
struct Pair {
  double term, term_E, term_floor;  // scale dS
};

Pair pair_of(
    const QueryPass& pass, double p, double e, double dp, double h, double v_size, double scale,
    int d) {
  const double difference = dp - pass.D;
  const double ds = p * difference;
  const double ds_E = p * ((1 + e) * std::abs(difference) + h + pass.D_E);
  const double ds_floor = kSmallestNormal * (1 + std::abs(difference)) +
                          p * (pass.dp_floor(v_size, d) + pass.dp_floor(pass.mean_v_size, d));
  return {scale * ds, std::abs(scale) * (ds_E + std::abs(ds)), std::abs(scale) * ds_floor};
}

void add(judge::Exact* tensor, std::int64_t n, double value, double E, double floor) {
  tensor->value[n] += value;
  tensor->E[n] += E;
  tensor->floor[n] += floor;
}

// Row n of dQ, that of one query.
void add_query(
    const Problem& head, const QueryPass& pass, const std::vector<double>& v_sizes, std::int64_t n,
    judge::Exact* dQ) {
  const int d = head.shape.d;
  for (std::size_t j = 0; j < pass.p.size(); ++j) {
    const Pair pair = pair_of(
        pass, pass.p[j], pass.e[j], pass.dp[j], pass.h[j], v_sizes[j], head.shape.softmax_scale(),
        d);
    const float* const key = head.inputs.K.data() + j * d;
    for (int k = 0; k < d; ++k) {
      const double size = std::abs(static_cast<double>(key[k]));
      add(dQ, n * d + k, pair.term * key[k], size * pair.term_E,
          size * pair.term_floor + kSmallestNormal);
    }
  }
}

// Row n of dK and dV, that of one key; passes has one for every query.
void add_key(
    const Problem& head, const std::vector<QueryPass>& passes, const std::vector<double>& v_sizes,
    std::int64_t key, std::int64_t n, Gradients* gradients) {
  const int d = head.shape.d;
  const double scale = head.shape.softmax_scale();
  for (std::int64_t query = 0; query < head.shape.N_q; ++query) {
    if (key >= head.visible_keys(query)) continue;
    const QueryPass& pass = passes[query];
    const float* const q = head.q_row(query);
    const float* const dO = head.inputs.dO.data() + query * d;
    const Sum score = dot(q, head.inputs.K.data() + key * d, d);
    const Sum dp = dot(dO, head.inputs.V.data() + key * d, d);
    const double p = std::exp(scale * score.value - pass.LSE);
    const double e = pass.relative_error(std::abs(scale) * score.of_abs);
    const Pair pair = pair_of(pass, p, e, dp.value, dp.of_abs, v_sizes[key], scale, d);
    for (int k = 0; k < d; ++k) {
      const double do_size = std::abs(static_cast<double>(dO[k]));
      const double q_size = std::abs(static_cast<double>(q[k]));
      add(&gradients->dV, n * d + k, p * dO[k], p * do_size * (1 + e),
          kSmallestNormal * (1 + do_size));
      add(&gradients->dK, n * d + k, pair.term * q[k], q_size * pair.term_E,
          q_size * pair.term_floor + kSmallestNormal);
    }
  }
}

// Enters the result of rows that start at `first`.
void enter(
    const judge::Comparison& found, std::int64_t elements, std::int64_t first, Outcome* all) {
  const bool was_right = all->accepted() || all->elements == 0;
  const auto show = [&](const judge::Element& element) {
    all->row = first + element.row;
    all->k = element.k;
    all->got = element.got;
    all->expected = element.expected;
  };
  if (found.worst.row >= 0 && (all->row < 0 || found.worst.ratio > all->worst)) {
    all->worst = found.worst.ratio;
    if (was_right) show(found.worst);
  }
  if (was_right && found.not_finite > 0) show(found.first_not_finite);
  if (was_right && found.never_written > 0) show(found.first_never_written);
  all->elements += elements;
  all->wrong += found.wrong;
  all->not_finite += found.not_finite;
  all->never_written += found.never_written;
}

}  // namespace

SampledReference::SampledReference(const Case& shape, std::uint64_t seed) : shape_(shape) {
  judge::Random random(judge::derive_seed(seed, "sampled rows", 0));
  const std::int64_t heads = std::int64_t{shape.batch} * shape.heads;
  for (std::int64_t number = 0; number < heads; ++number) {
    Head head;
    head.number = number;
    head.problem.shape = shape;
    head.problem.shape.batch = head.problem.shape.heads = 1;
    head.problem.shape.heads_kv = 0;
    const bool thorough = number == 0 || number == heads - 1;
    head.queries = sample(shape.N_q, thorough ? 24 : 4, thorough, &random);
    if (thorough) head.keys = sample(shape.N_k, 24, true, &random);
    heads_.push_back(std::move(head));
  }
}

std::int64_t SampledReference::sampled_queries() const {
  std::int64_t count = 0;
  for (const Head& head : heads_) count += static_cast<std::int64_t>(head.queries.size());
  return count;
}

std::int64_t SampledReference::sampled_keys() const {
  std::int64_t count = 0;
  for (const Head& head : heads_) count += static_cast<std::int64_t>(head.keys.size());
  return count;
}

bool SampledReference::read_inputs(int first_tensor, int last_tensor, const Read& read) {
  for (Head& head : heads_) {
    judge::Inputs& in = head.problem.inputs;
    std::vector<float>* const tensors[] = {&in.Q, &in.K, &in.V, &in.O, &in.LSE, &in.dO};
    for (int tensor = first_tensor; tensor <= last_tensor; ++tensor) {
      const std::int64_t count = head.problem.shape.elements(tensor);
      tensors[tensor]->resize(count);
      if (!read(tensor, head.number * count, count, tensors[tensor]->data())) return false;
    }
  }
  return true;
}

bool SampledReference::compute_forward(const Read& read) {
  if (!read_inputs(protocol::kQ, protocol::kV, read)) return false;
  std::vector<std::pair<Head*, std::size_t>> work;
  for (Head& head : heads_) {
    head.forward.dQ.resize(head.queries.size() * shape_.d);
    head.forward.delta.resize(head.queries.size());
    for (std::size_t n = 0; n < head.queries.size(); ++n) work.emplace_back(&head, n);
  }
  for_all(static_cast<std::int64_t>(work.size()), [&](std::int64_t n) {
    const auto [head, query] = work[n];
    const judge::ReferenceRow right = judge::reference_row(head->problem, head->queries[query]);
    for (int k = 0; k < shape_.d; ++k) {
      const std::size_t at = query * shape_.d + k;
      head->forward.dQ.value[at] = right.O[k];
      head->forward.dQ.floor[at] = judge::error_bound(right, k, shape_.N_k);  // all of it
    }
    head->forward.delta.value[query] = right.LSE;
    head->forward.delta.floor[query] = judge::lse_error_bound(right, shape_.N_k);
  });
  return true;
}

bool SampledReference::compute_gradients(const Read& read) {
  const bool exact = shape_.N_q <= kExactQueries;
  if (!read_inputs(exact ? protocol::kGradO : protocol::kO, protocol::kGradO, read)) return false;
  std::vector<std::vector<double>> v_sizes(heads_.size());
  std::vector<std::pair<std::size_t, std::size_t>> work;
  const int d = shape_.d;
  for (std::size_t number = 0; number < heads_.size(); ++number) {
    Head& head = heads_[number];
    for (std::int64_t j = 0; j < shape_.N_k; ++j)
      v_sizes[number].push_back(sum_abs(head.problem.inputs.V.data() + j * d, d));
    head.gradients.dQ.resize(head.queries.size() * d);
    head.gradients.dK.resize(head.keys.size() * d);
    head.gradients.dV.resize(head.keys.size() * d);
    for (std::size_t n = 0; n < head.queries.size(); ++n) work.emplace_back(number, n);
  }
  for_all(static_cast<std::int64_t>(work.size()), [&](std::int64_t n) {
    const auto [number, query] = work[n];
    Head& head = heads_[number];
    QueryPass pass;
    run_pass(head.problem, head.queries[query], v_sizes[number], 1, &pass);
    add_query(
        head.problem, pass, v_sizes[number], static_cast<std::int64_t>(query), &head.gradients.dQ);
  });
  for (std::size_t number = 0; number < heads_.size(); ++number) {
    Head& head = heads_[number];
    if (head.keys.empty()) continue;
    std::vector<QueryPass> passes(shape_.N_q);
    for_all(shape_.N_q, [&](std::int64_t query) {
      thread_local QueryPass pass;
      const std::int64_t visible = head.problem.visible_keys(query);
      const std::int64_t stride = exact ? 1 : std::max<std::int64_t>(visible / kSampledKeys, 1);
      run_pass(head.problem, query, v_sizes[number], stride, &pass);
      QueryPass& kept = passes[query];  // without the lists
      kept.LSE = pass.LSE;
      kept.g_max = pass.g_max;
      kept.log_l = pass.log_l;
      kept.D = pass.D;
      kept.D_E = pass.D_E;
      kept.mean_v_size = pass.mean_v_size;
      kept.dO_size = pass.dO_size;
    });
    for_all(static_cast<std::int64_t>(head.keys.size()), [&](std::int64_t n) {
      add_key(head.problem, passes, v_sizes[number], head.keys[n], n, &head.gradients);
    });
  }
  return true;
}

Outcome SampledReference::compare(int tensor, std::uint32_t filler_bits, const Read& read) const {
  Outcome outcome;
  const int length = shape_.row_length(tensor);
  const bool is_forward = tensor == protocol::kO || tensor == protocol::kLSE;
  const bool by_key = shape_.rows_are_keys(tensor);
  const int compared_as = tensor == protocol::kO     ? protocol::kGradQ
                          : tensor == protocol::kLSE ? protocol::kDelta
                                                     : tensor;
  for (const Head& head : heads_) {
    const std::vector<std::int64_t>& rows = by_key ? head.keys : head.queries;
    const std::int64_t rows_of_head = by_key ? shape_.N_k : shape_.N_q;
    std::vector<float> got(rows.size() * length);
    for (std::size_t n = 0; n < rows.size(); ++n) {
      const std::int64_t row = head.number * rows_of_head + rows[n];
      if (!read(tensor, row * length, length, got.data() + n * length)) {
        outcome.read = false;
        return outcome;
      }
    }
    judge::Comparison found = judge::compare_gradient(
        head.problem.shape, is_forward ? head.forward : head.gradients, compared_as, got.data(),
        filler_bits);
    for (judge::Element* const element :
         {&found.worst, &found.first_not_finite, &found.first_never_written})
      if (element->row >= 0) element->row = rows[element->row];
    enter(found, static_cast<std::int64_t>(got.size()), head.number * rows_of_head, &outcome);
  }
  return outcome;
}

}  // namespace bench
