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

// Lanes go through shared memory together as long as each can have its bytes of the 128 that a wavefront moves.
unsigned lanes_per_phase(unsigned size) { return size <= 4 ? 32 : 128 / size; }

uint32_t lane_mask(unsigned first, unsigned width) {
  return width == 32 ? ~0u : ((1u << width) - 1) << first;
}

// Whether every lane's partner, the lane whose number differs in one bit, is not there or accesses the same address.
bool partners_agree(const Request& request, unsigned bit) {
  const uint32_t lanes = request.lanes;
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const unsigned lane = static_cast<unsigned>(std::countr_zero(rest));
    const unsigned partner = lane ^ bit;
    if ((lanes >> partner & 1u) != 0 && request.address[partner] != request.address[lane]) {
      return false;
    }
  }
  return true;
}

// Wide loads go two phases at a time where all neighbours of the warp, or all neighbours but one, want the same.
bool phases_merge(const Request& request) {
  return operation_of(request.kind) == Operation::kLoad && size_of(request.kind) > 4 &&
         (partners_agree(request, 1) || partners_agree(request, 2));
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

// Atomic operations on one address go one after the other: of every sector, as often as its busiest address.
unsigned atomic_sectors(const Request& request) {
  uint64_t addresses[32];
  unsigned count = 0;
  for (uint32_t lanes = request.lanes; lanes != 0; lanes &= lanes - 1) {
    addresses[count++] = request.address[std::countr_zero(lanes)];
  }
  std::sort(addresses, addresses + count);
  unsigned total = 0;
  unsigned busiest = 0;  // of the present sector
  unsigned here = 0;     // at the present address
  for (unsigned n = 0; n < count; ++n) {
    here = n > 0 && addresses[n] == addresses[n - 1] ? here + 1 : 1;
    if (n > 0 && addresses[n] >> kSectorShift != addresses[n - 1] >> kSectorShift) {
      total += busiest;
      busiest = 0;
    }
    busiest = std::max(busiest, here);
  }
  return total + busiest;
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
  if (operation_of(request.kind) == Operation::kAtomic) return atomic_sectors(request);
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
  const unsigned width = lanes_per_phase(size_of(request.kind));
  const unsigned merged_width = std::min(32u, 2 * width);
  Wavefronts result{0, 0};
  const auto add_phase = [&](uint32_t lanes) {
    result.needed += conflict_degree(request, lanes);
    result.ideal += lanes != 0;
  };
  const bool merge = width == merged_width || phases_merge(request);
  for (unsigned first = 0; first < 32; first += merged_width) {
    const uint32_t lanes = request.lanes & lane_mask(first, merged_width);
    if (merge) {
      add_phase(lanes);
    } else {
      add_phase(lanes & lane_mask(first, width));
      add_phase(lanes & lane_mask(first + width, width));
    }
  }
  return result;
}

void add_uniform(cpuDeviceAccesses* sum, unsigned kind, uint32_t lanes, uint64_t address) {
  const unsigned size = size_of(kind);
  if (space_of(kind) == Space::kGlobal) {
    const bool atomic = operation_of(kind) == Operation::kAtomic;
    const unsigned threads = static_cast<unsigned>(std::popcount(lanes));
    return add(sum, kind, lanes, atomic ? threads : sectors_of_span(address, size), {0, 0});
  }
  const bool merges = operation_of(kind) == Operation::kLoad;  // all lanes agree
  const unsigned width = std::min(32u, lanes_per_phase(size) * (merges ? 2 : 1));
  unsigned phases = 0;
  for (unsigned first = 0; first < 32; first += width) {
    phases += (lanes & lane_mask(first, width)) != 0;
  }
  add(sum, kind, lanes, 0, {phases, phases});
}

void add_consecutive(cpuDeviceAccesses* sum, unsigned kind, uint64_t address) {
  const unsigned size = size_of(kind);
  if (space_of(kind) == Space::kGlobal) {
    return add(sum, kind, ~0u, sectors_of_span(address, 32 * size), {0, 0});
  }
  const unsigned phases = 32 / lanes_per_phase(size);
  add(sum, kind, ~0u, 0, {phases, phases});
}

void add_request(cpuDeviceAccesses* sum, const Request& request) {
  if (space_of(request.kind) == Space::kGlobal) {
    add(sum, request.kind, request.lanes, sectors(request), {0, 0});
  } else {
    add(sum, request.kind, request.lanes, 0, wavefronts(request));
  }
}

}  // namespace cpu_device
