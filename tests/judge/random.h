// A random generator of our own: the same seed gives the same inputs with every compiler and library.
#pragma once

#include <cstdint>
#include <string_view>

namespace judge {

// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits();

  // In [0, 1), a multiple of 2^-53.
  double uniform();

  // In [0, bound).
  std::uint64_t below(std::uint64_t bound);

  // Mean 0, variance 1, within -6 and 6: the sum of twelve 16-bit uniforms. Integer arithmetic up to one final
  // division, so exactly the same everywhere.
  float normal();

 private:
  std::uint64_t state_;
};

// A seed for one purpose, derived from the seed of the run.
std::uint64_t derive_seed(std::uint64_t seed, std::string_view purpose, std::uint64_t number);

}  // namespace judge
