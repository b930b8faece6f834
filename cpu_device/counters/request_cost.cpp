#include "request_cost.h"

#include <algorithm>
#include <bit>

namespace cpu_device {
namespace {

constexpr unsigned kSectorShift = 5;
constexpr unsigned kBanks = 32;

unsigned sectors_of_span(uint64_t begin, uint64_t bytes) {
  return static_cast<unsigned>(((begin + bytes - 1) >> kSectorShift) - (begin >> kSectorShift) + 1);
}

// Lanes go through shared memory together as long as each can have 4 bytes of the 128 that a wavefront moves.
unsigned lanes_per_phase(unsigned size) { return size <= 4 ? 32 : 128 / size; }

unsigned phases(unsigned size, uint32_t lanes) {
  const unsigned width = lanes_per_phase(size);
  unsigned count = 0;
  for (unsigned first = 0; first < 32; first += width) {
    const uint32_t mask = width == 32 ? ~0u : ((1u << width) - 1) << first;
    count += (lanes & mask) != 0;
  }
  return count;
}

// Wavefronts of some lanes: the most distinct words that any one bank has to deliver.
unsigned conflict_degree(const Request& request, uint32_t lanes) {
  uint64_t words[64];
  unsigned count = 0;
  const unsigned size = size_of(request.kind);
  for (; lanes != 0; lanes &= lanes - 1) {
    const uint64_t address = request.address[std::countr_zero(lanes)];
    for (uint64_t word = address >> 2; word <= (address + size - 1) >> 2; ++word) {
      words[count++] = word;
    }
  }
  std::sort(words, words + count);
  const auto end = std::unique(words, words + count);
  unsigned per_bank[kBanks] = {};
  unsigned most = 0;
  for (const uint64_t* word = words; word != end; ++word) {
    most = std::max(most, ++per_bank[*word % kBanks]);
  }
  return most;
}

void add(
    cpuDeviceAccesses* sum, unsigned kind, uint32_t lanes, unsigned sector_count,
    Wavefronts passes) {
  const unsigned threads = static_cast<unsigned>(std::popcount(lanes));
  const unsigned size = size_of(kind);
  ++sum->requests;
  sum->accesses += threads;
  sum->bytes += uint64_t{threads} * size;
  if (size == 16) sum->bytes_16 += uint64_t{threads} * size;
  sum->sectors += sector_count;
  sum->wavefronts += passes.needed;
  sum->ideal_wavefronts += passes.ideal;
}

}  // namespace

unsigned sectors(const Request& request) {
  const unsigned size = size_of(request.kind);
  uint64_t touched[64];
  unsigned count = 0;
  uint64_t last = ~uint64_t{0};
  bool ascending = true;
  for (uint32_t lanes = request.lanes; lanes != 0; lanes &= lanes - 1) {
    const uint64_t address = request.address[std::countr_zero(lanes)];
    for (uint64_t s = address >> kSectorShift; s <= (address + size - 1) >> kSectorShift; ++s) {
      if (s == last) continue;
      ascending = ascending && (count == 0 || s > last);
      touched[count++] = last = s;
    }
  }
  if (ascending) return count;
  std::sort(touched, touched + count);
  return static_cast<unsigned>(std::unique(touched, touched + count) - touched);
}

Wavefronts wavefronts(const Request& request) {
  const unsigned size = size_of(request.kind);
  const unsigned width = lanes_per_phase(size);
  Wavefronts result{0, phases(size, request.lanes)};
  for (unsigned first = 0; first < 32; first += width) {
    const uint32_t mask = width == 32 ? ~0u : ((1u << width) - 1) << first;
    result.needed += conflict_degree(request, request.lanes & mask);
  }
  return result;
}

void add_uniform(cpuDeviceAccesses* sum, unsigned kind, uint32_t lanes, uint64_t address) {
  const unsigned size = size_of(kind);
  if (space_of(kind) == Space::kGlobal) {
    return add(sum, kind, lanes, sectors_of_span(address, size), {0, 0});
  }
  const unsigned passes = phases(size, lanes);
  add(sum, kind, lanes, 0, {passes, passes});
}

void add_consecutive(cpuDeviceAccesses* sum, unsigned kind, uint64_t address) {
  const unsigned size = size_of(kind);
  if (space_of(kind) == Space::kGlobal) {
    return add(sum, kind, ~0u, sectors_of_span(address, 32 * size), {0, 0});
  }
  const unsigned passes = phases(size, ~0u);
  add(sum, kind, ~0u, 0, {passes, passes});
}

void add_request(cpuDeviceAccesses* sum, const Request& request) {
  if (space_of(request.kind) == Space::kGlobal) {
    add(sum, request.kind, request.lanes, sectors(request), {0, 0});
  } else {
    add(sum, request.kind, request.lanes, 0, wavefronts(request));
  }
}

}  // namespace cpu_device
