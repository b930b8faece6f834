#include "sha256.h"

#include <array>
#include <bit>
#include <cstdint>

namespace judge {
namespace {

constexpr int kRounds = 64;

// The first 32 fractional bits of the square roots (power 1/2) or cube roots (1/3) of the first primes: the
// standard's constants. Found by bisection, in integers: the n-th root of p * 2^(32 n).
constexpr std::uint32_t root_bits(std::uint64_t prime, int n) {
  unsigned __int128 low = 0, high = static_cast<unsigned __int128>(1) << 37;
  const unsigned __int128 target = static_cast<unsigned __int128>(prime) << (n == 2 ? 64 : 96);
  while (high - low > 1) {
    const unsigned __int128 middle = (low + high) / 2;
    const unsigned __int128 power = n == 2 ? middle * middle : middle * middle * middle;
    (power <= target ? low : high) = middle;
  }
  return static_cast<std::uint32_t>(low);
}

template <int kCount>
constexpr std::array<std::uint32_t, kCount> roots_of_primes(int n) {
  std::array<std::uint32_t, kCount> constants{};
  int count = 0;
  for (std::uint64_t number = 2; count < kCount; ++number) {
    bool prime = true;
    for (std::uint64_t divisor = 2; divisor * divisor <= number; ++divisor)
      prime = prime && number % divisor != 0;
    if (prime) constants[count++] = root_bits(number, n);
  }
  return constants;
}

constexpr auto kStart = roots_of_primes<8>(2);
constexpr auto kRound = roots_of_primes<kRounds>(3);
static_assert(kStart[0] == 0x6a09e667 && kRound[63] == 0xc67178f2);

void add_block(std::array<std::uint32_t, 8>& state, const unsigned char* block) {
  std::uint32_t w[kRounds];
  for (int t = 0; t < 16; ++t)
    w[t] = std::uint32_t{block[4 * t]} << 24 | block[4 * t + 1] << 16 | block[4 * t + 2] << 8 |
           block[4 * t + 3];
  for (int t = 16; t < kRounds; ++t) {
    const std::uint32_t a = w[t - 15], b = w[t - 2];
    w[t] = w[t - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + w[t - 7] +
           (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (int t = 0; t < kRounds; ++t) {
    const std::uint32_t sum_e = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const std::uint32_t first = h + sum_e + ((e & f) ^ (~e & g)) + kRound[t] + w[t];
    const std::uint32_t sum_a = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const std::uint32_t second = sum_a + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + first;
    d = c;
    c = b;
    b = a;
    a = first + second;
  }
  const std::uint32_t added[] = {a, b, c, d, e, f, g, h};
  for (int n = 0; n < 8; ++n) state[n] += added[n];
}

}  // namespace

std::string sha256(std::string_view data) {
  // The message, a one bit, zeros, and the length in bits: a multiple of 64 bytes.
  std::string message(data);
  message += '\x80';
  while (message.size() % 64 != 56) message += '\0';
  for (int shift = 56; shift >= 0; shift -= 8)
    message += static_cast<char>(std::uint64_t{data.size()} * 8 >> shift);

  std::array<std::uint32_t, 8> state = kStart;
  for (std::size_t n = 0; n < message.size(); n += 64)
    add_block(state, reinterpret_cast<const unsigned char*>(message.data()) + n);

  std::string digits;
  for (const std::uint32_t word : state)
    for (int shift = 28; shift >= 0; shift -= 4) digits += "0123456789abcdef"[word >> shift & 15];
  return digits;
}

}  // namespace judge
