#include "memory_rule.h"

#include <cmath>

#include "text.h"

namespace judge {
namespace {

constexpr double kQuadraticRatio = 3;  // N gives 2, N log N 2.1, N^2 4, N^3 8
constexpr double kBeyondRatio = 6;
constexpr double kSmallest = 1 << 20;  // bytes; a smaller last increment is not called quadratic

double ratio(double later, double earlier) {
  if (earlier > 0) return later / earlier;
  return later > 0 ? INFINITY : 0;
}

// 4.0001 as "4", 0.0312 as "0.0312".
std::string coefficient_words(double value) {
  const double rounded = std::round(value);
  if (rounded >= 1 && std::abs(value - rounded) < 0.01 * value) return format("%.0f", rounded);
  return format("%.3g", value);
}

std::string quadratic_words(double coefficient) {
  std::string words = coefficient_words(coefficient) + " N^2 bytes per head";
  const double floats = coefficient / sizeof(float);
  if (std::abs(floats - 1) < 0.01)
    words += ": one float per (query, key) pair, the matrix S";
  else if (std::abs(floats - 2) < 0.02)
    words += ": two floats per (query, key) pair, the matrices S and P";
  else
    words += format(": %.3g floats per (query, key) pair", floats);
  return words;
}

}  // namespace

std::string bytes_words(std::uint64_t bytes) {
  const char* const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    ++unit;
  }
  return format("%.4g %s", value, units[unit]);
}

MemoryGrowth memory_growth(
    const std::array<std::uint64_t, kMemorySizes.size()>& bytes, std::int64_t heads) {
  constexpr std::size_t kLast = kMemorySizes.size() - 1;
  double increment[kLast];  // increment[n] = b(size n + 1) - b(size n)
  for (std::size_t n = 0; n < kLast; ++n)
    increment[n] = static_cast<double>(bytes[n + 1]) - static_cast<double>(bytes[n]);
  const double last = ratio(increment[kLast - 1], increment[kLast - 2]);
  const double before = ratio(increment[kLast - 2], increment[kLast - 3]);
  const double N = kMemorySizes[kLast], half = kMemorySizes[kLast - 1];

  MemoryGrowth result;
  result.ratio = last;
  bool same = true;
  for (const std::uint64_t b : bytes) same = same && b == bytes[0];
  if (same) {
    result.growth = bytes[0] == 0 ? Growth::kNone : Growth::kConstant;
    result.words = bytes[0] == 0 ? "none: nothing that grows with N is stored"
                                 : bytes_words(bytes[0]) + ", whatever N is";
  } else if (
      last > kQuadraticRatio && before > kQuadraticRatio && increment[kLast - 1] > kSmallest) {
    const bool beyond = last > kBeyondRatio && before > kBeyondRatio;
    result.growth = beyond ? Growth::kBeyond : Growth::kQuadratic;
    result.coefficient = increment[kLast - 1] / (N * N - half * half) / static_cast<double>(heads);
    result.words = beyond ? format("faster than N^2: twice the N takes %.2g times the memory", last)
                          : quadratic_words(result.coefficient);
  } else {
    result.growth = Growth::kSubquadratic;
    result.coefficient = increment[kLast - 1] / (N - half) / static_cast<double>(heads);
    result.words = last > 1.9 && last < 2.05
                       ? coefficient_words(result.coefficient) + " N bytes per head"
                       : bytes_words(bytes[kLast]) + " at N = 65,536, growing slower than N^2";
  }
  return result;
}

}  // namespace judge
