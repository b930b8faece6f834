#include "random.h"

namespace judge {

std::uint64_t Random::bits() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double Random::uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

std::uint64_t Random::below(std::uint64_t bound) { return bits() % bound; }

float Random::normal() {
  std::int64_t sum = 0;
  for (int draw = 0; draw < 3; ++draw) {
    std::uint64_t word = bits();
    for (int part = 0; part < 4; ++part, word >>= 16)
      sum += static_cast<std::int64_t>(word & 0xffff);
  }
  // Twelve uniforms on 0 .. 65535 have mean 6 * 65535 and variance 65536^2 - 1, close to 65536^2.
  return static_cast<float>(sum - 6 * 65535) * 0x1p-16f;
}

std::uint64_t derive_seed(std::uint64_t seed, std::string_view purpose, std::uint64_t number) {
  Random random(seed);
  std::uint64_t mixed = random.bits();
  for (const char c : purpose) mixed = Random(mixed ^ static_cast<unsigned char>(c)).bits();
  return Random(mixed ^ number).bits();
}

}  // namespace judge
