// How a launcher's extra memory grows with the sequence length, from a few exact measurements.
//
// The measurements come from the allocator (runner/interpose_memory.cpp), so they hold no noise, and a rule on
// ratios of increments sees through constants: r = (b(64k) - b(32k)) / (b(32k) - b(16k)) is 2 for N and 4 for N^2
// whatever is added to it, where a slope in a log-log plot is not.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace judge {

// N_q = N_k = N of the five measurements.
inline constexpr std::array<int, 5> kMemorySizes = {4096, 8192, 16384, 32768, 65536};

enum class Growth {
  kNone,          // no extra memory at all
  kConstant,      // the same for every N
  kSubquadratic,  // grows, but not as N^2
  kQuadratic,
  kBeyond,  // faster than N^2
};

struct MemoryGrowth {
  Growth growth = Growth::kNone;
  double ratio = 0;        // the last ratio of increments
  double coefficient = 0;  // bytes per head and N^2 if quadratic, per head and N if subquadratic
  std::string words;       // "4 N^2 bytes per head: one float per (query, key) pair, the matrix S"
};

// bytes[n] was measured at kMemorySizes[n] with this many heads in all batches together.
MemoryGrowth memory_growth(
    const std::array<std::uint64_t, kMemorySizes.size()>& bytes, std::int64_t heads);

// 1536 as "1.5 KiB".
std::string bytes_words(std::uint64_t bytes);

}  // namespace judge
