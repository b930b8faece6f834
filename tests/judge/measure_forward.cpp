// Measures attention_forward of one library as the judge does, and prints JSON. scripts/bench --claims asks it.
//
//   measure_forward LIBRARY memory d lse    extra bytes of a head at N = 4,096 ... 65,536, launches skipped, and what the
//                                           memory rule says of them; lse = 1 counts LSE, 4 N bytes, as extra
//   measure_forward LIBRARY counted N d     what a library built with cucc --check loads and stores, its result being right
//   measure_forward LIBRARY last_rows N d   whether the launcher gets its memory, and whether the rows are right that
//                                           the last blocks of the launch write
//
// Exit status: 0 measured, 2 usage, 3 internal error; a result that is wrong where it was to be counted is one.
#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "bound.h"
#include "build_paths.h"
#include "examine.h"
#include "memory_rule.h"
#include "random.h"
#include "runner_client.h"
#include "text.h"
#include "verdict.h"

namespace {

using namespace judge;

constexpr Seconds kLimit{120};
constexpr std::uint64_t kSeed = 0x5eed1234;

unsigned long long number(std::uint64_t value) { return value; }

const char* growth_name(Growth growth) {
  switch (growth) {
    case Growth::kNone:
      return "none";
    case Growth::kConstant:
      return "constant";
    case Growth::kSubquadratic:
      return "subquadratic";
    case Growth::kQuadratic:
      return "quadratic";
    case Growth::kBeyond:
      return "beyond";
  }
  return "?";
}

std::uint64_t extra_bytes(const protocol::Reply& reply) {
  return reply.peak_bytes + reply.static_bytes;
}

void memory(Runner& runner, int d, bool lse) {
  std::array<std::uint64_t, kMemorySizes.size()> bytes{};
  std::string list;
  Problem problem;
  for (std::size_t n = 0; n < kMemorySizes.size(); ++n) {
    const int N = kMemorySizes[n];
    problem.shape = {.N_q = N, .N_k = N, .d = d};
    const Answer answer = runner.ask(problem, {.dry_run = true});
    if (answer.reply.returned != kSuccess)
      throw std::runtime_error(
          "attention_forward returned " + sanitised(answer.reply.returned_text));
    bytes[n] = extra_bytes(answer.reply) + (lse ? sizeof(float) * N : 0);
    list += format("%s[%d, %llu]", n == 0 ? "" : ", ", N, number(bytes[n]));
  }
  const MemoryGrowth growth = memory_growth(bytes, 1);
  const double ratio = std::min(growth.ratio, 1e9);  // JSON has no infinity
  std::printf(
      "{\"extra_bytes\": [%s], \"growth\": \"%s\", \"ratio\": %.6g, \"words\": %s}\n", list.c_str(),
      growth_name(growth.growth), ratio, json_string(growth.words).c_str());
}

void counted(Runner& runner, int N, int d) {
  const Problem problem = draw({.N_q = N, .N_k = N, .d = d}, kSeed);
  const Answer answer = runner.ask(problem, {.count = true});
  examine_errors(problem.shape, answer);
  examine_memory(problem, answer);
  examine_values(problem, answer, {});
  if (answer.reply.counted == 0) throw std::runtime_error("compile the library with cucc --check");
  const protocol::Counts& counts = answer.reply.counts;
  protocol::Accesses all{};
  const auto add = [&all](const protocol::Traffic& traffic) {
    for (const protocol::Accesses* one : {&traffic.loads, &traffic.stores, &traffic.atomics})
      all.bytes += one->bytes;
  };
  for (const protocol::Traffic& tensor : counts.tensor) add(tensor);
  add(counts.other);
  std::printf(
      "{\"kv_bytes\": %llu, \"global_bytes\": %llu, \"shared_load_bytes\": %llu, "
      "\"exp_calls\": %llu, \"scratch_bytes\": %llu, \"lse_bytes\": %llu}\n",
      number(counts.tensor[protocol::kK].loads.bytes + counts.tensor[protocol::kV].loads.bytes),
      number(all.bytes), number(counts.shared_load_bytes), number(counts.exp_calls),
      number(extra_bytes(answer.reply)), number(counts.tensor[protocol::kLSE].stores.bytes));
}

// The rows from the first one on of which something was written.
std::vector<std::int64_t> written_to_the_end(const Case& shape, const float* O) {
  std::int64_t first = 0;
  while (first < shape.rows() * shape.d &&
         std::bit_cast<std::uint32_t>(O[first]) == protocol::filler_bits(protocol::kO))
    ++first;
  std::vector<std::int64_t> rows(shape.rows() - first / shape.d);
  std::iota(rows.begin(), rows.end(), first / shape.d);
  return rows;
}

void last_rows(Runner& runner, int N, int d) {
  const Problem problem = draw({.N_q = N, .N_k = N, .d = d}, kSeed);
  const Answer answer = runner.ask(problem, {.sample_blocks = true});
  const protocol::Reply& reply = answer.reply;
  std::size_t device_bytes = 0, free_bytes = 0;
  if (cudaMemGetInfo(&free_bytes, &device_bytes) != cudaSuccess)
    throw std::runtime_error("the device does not tell its memory");
  std::string returned = sanitised(reply.returned_text);
  returned.resize(std::min(returned.find(':'), returned.size()));
  Comparison rows;
  if (reply.returned == kSuccess) {
    examine_errors(problem.shape, answer);
    examine_memory(problem, answer);
    rows = compare_rows(
        problem, answer.O(), protocol::filler_bits(protocol::kO),
        written_to_the_end(problem.shape, answer.O()));
  }
  std::printf(
      "{\"device_bytes\": %llu, \"returned\": %s, \"refused_bytes\": %llu, \"launches\": %llu, "
      "\"scratch_bytes\": %llu, \"rows\": %zu, \"right\": %s, \"worst\": %.3g}\n",
      number(device_bytes), json_string(returned).c_str(), number(reply.failed_bytes),
      number(reply.launches), number(extra_bytes(reply)), rows.rows.size(),
      !rows.rows.empty() && rows.accepted() ? "true" : "false", rows.worst.ratio);
}

void measure(const std::string& library, const std::string& what, int first, int second) {
  Runner runner(kBuildRunner, library, kLimit);
  runner.load();
  if (what == "memory")
    memory(runner, first, second != 0);
  else if (what == "counted")
    counted(runner, first, second);
  else
    last_rows(runner, first, second);
  runner.finish();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc == 5 ? argv[2] : "";
  if (what != "memory" && what != "counted" && what != "last_rows") {
    std::fprintf(
        stderr, "usage: measure_forward LIBRARY memory d lse | counted N d | last_rows N d\n");
    return 2;
  }
  try {
    measure(argv[1], what, std::stoi(argv[3]), std::stoi(argv[4]));
    return 0;
  } catch (const Failure& failure) {
    std::fprintf(
        stderr, "measure_forward: %s: %s\n%s\n", failure.kind.c_str(), failure.headline.c_str(),
        failure.details.c_str());
  } catch (const NotRun& reason) {
    std::fprintf(stderr, "measure_forward: %s\n", reason.reason.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "measure_forward: %s\n", error.what());
  }
  return 3;
}
