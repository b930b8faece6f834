#include "counters.h"

#include <algorithm>
#include <bit>

#include "block.h"
#include "checker.h"
#include "module.h"

namespace cpu_device {
namespace {

// Launches are kept one by one up to here; later ones are added to the last alike.
constexpr size_t kMostRecords = 4096;

void add(cpuDeviceAccesses& sum, const cpuDeviceAccesses& more) {
  sum.requests += more.requests;
  sum.accesses += more.accesses;
  sum.bytes += more.bytes;
  sum.bytes_16 += more.bytes_16;
  sum.sectors += more.sectors;
  sum.wavefronts += more.wavefronts;
  sum.ideal_wavefronts += more.ideal_wavefronts;
}

}  // namespace

cpuDeviceAccesses& accesses_of(cpuDeviceCounters& counters, unsigned kind) {
  const bool shared = space_of(kind) == Space::kShared;
  switch (operation_of(kind)) {
    case Operation::kLoad:
      return shared ? counters.shared_load : counters.global_load;
    case Operation::kStore:
      return shared ? counters.shared_store : counters.global_store;
    case Operation::kAtomic:
      break;
  }
  return shared ? counters.shared_atomic : counters.global_atomic;
}

void add(cpuDeviceCounters& sum, const cpuDeviceCounters& more) {
  add(sum.global_load, more.global_load);
  add(sum.global_store, more.global_store);
  add(sum.global_atomic, more.global_atomic);
  add(sum.shared_load, more.shared_load);
  add(sum.shared_store, more.shared_store);
  add(sum.shared_atomic, more.shared_atomic);
  sum.barriers += more.barriers;
  sum.warp_syncs += more.warp_syncs;
  sum.shuffles += more.shuffles;
  sum.votes += more.votes;
  sum.exp_calls += more.exp_calls;
}

Counters& Counters::instance() {
  static Counters& counters = *new Counters;  // never destroyed: programs count until they end
  return counters;
}

// ---- device side ----

void Counters::begin_launch(const cpuDeviceLaunch& launch, uintptr_t code_nearby) {
  counting_ = wanted_;
  if (!counting_) return;
  if (logs_ == nullptr) {
    logs_ = std::make_unique<AccessLog[]>(kMaxThreads);
    matchers_ = std::make_unique<RequestMatcher[]>(kMaxWarps);
  }
  threads_ = launch.block[0] * launch.block[1] * launch.block[2];
  present_ = &record_for(launch);
  present_->code_nearby = code_nearby;
}

void Counters::end_launch() {
  if (!counting_) return;
  counting_ = false;
  for (const auto& [code, instruction] : instructions_) {
    add(present_->instructions[code], instruction.counters);
    add(present_->launch.counters, instruction.counters);
  }
  for (const auto& [where, counters] : places_) {
    add(present_->places[{where.first, where.second}], counters);
    add(present_->launch.counters, counters);
  }
  instructions_.clear();
  std::fill(std::begin(cached_), std::end(cached_), nullptr);
  places_.clear();
}

Counters::Record& Counters::record_for(const cpuDeviceLaunch& launch) {
  const auto alike = [&](const std::unique_ptr<Record>& other) {
    const cpuDeviceLaunch& o = other->launch;
    return other->kernel == launch.kernel && std::equal(o.grid, o.grid + 3, launch.grid) &&
           std::equal(o.block, o.block + 3, launch.block) &&
           o.dynamic_shared == launch.dynamic_shared;
  };
  launches_.clear();
  if (records_.size() >= kMostRecords) {
    const auto last = std::find_if(records_.rbegin(), records_.rend(), alike);
    if (last != records_.rend()) {
      ++(*last)->launch.launches;
      (*last)->lines.clear();
      return **last;
    }
  }
  records_.push_back(std::make_unique<Record>());
  Record& record = *records_.back();
  record.kernel = launch.kernel;
  record.launch = launch;
  record.launch.launches = 1;
  return record;
}

void Counters::make_room(BlockRunner& runner) {
  const unsigned thread = runner.linear_id();
  const unsigned warp = thread / kWarpSize;
  const unsigned first = warp * kWarpSize;
  while (logs_[thread].full()) {
    // The next lane of the warp that can go on, or none.
    unsigned next = thread;
    uint32_t stopped = 0;
    for (unsigned n = 1; n < kWarpSize; ++n) {
      const unsigned other = first + (thread + n) % kWarpSize;
      const bool can_run = other < threads_ && runner.can_run(other);
      if (!can_run) stopped |= 1u << other % kWarpSize;
      if (can_run && !logs_[other].full() && next == thread) next = other;
    }
    if (next == thread) {
      take(warp, stopped);
    } else {
      runner.run_instead(next);
    }
  }
}

void Counters::warp_together(unsigned warp) {
  take(warp, ~0u);
  matchers_[warp].together(this);
}

void Counters::block_together() {
  for (unsigned warp = 0; warp * kWarpSize < threads_; ++warp) warp_together(warp);
}

void Counters::take(unsigned warp, uint32_t stopped) {
  AccessLog* const logs = &logs_[warp * kWarpSize];
  if (plain_vectors_) {
    for (unsigned lane = 0; lane < kWarpSize; ++lane) logs[lane].join_members();
  }
  matchers_[warp].take(logs, stopped, this);
}

void Counters::barrier(const char* file, int line) { ++place(file, line).barriers; }

void Counters::warp_function(cpuDeviceWarpOp op, const char* file, int line) {
  cpuDeviceCounters& counters = place(file, line);
  switch (op) {
    case cpuDeviceWarpSync:
      ++counters.warp_syncs;
      break;
    case cpuDeviceWarpShuffle:
    case cpuDeviceWarpShuffleUp:
    case cpuDeviceWarpShuffleDown:
    case cpuDeviceWarpShuffleXor:
      ++counters.shuffles;
      break;
    case cpuDeviceWarpBallot:
    case cpuDeviceWarpMatchAny:
    case cpuDeviceWarpMatchAll:
    case cpuDeviceWarpActive:
      ++counters.votes;
      break;
  }
}

void Counters::exp_call(uintptr_t code) {
  ++instruction(static_cast<uint32_t>(code)).counters.exp_calls;
}

cpuDeviceCounters& Counters::place(const char* file, int line) { return places_[{file, line}]; }

Counters::Instruction& Counters::instruction(uint32_t code) {
  Instruction*& cached = cached_[(code ^ code >> 8) % kCached];
  if (cached == nullptr || cached->code != code) {
    cached = &instructions_[code];
    cached->code = code;
  }
  return *cached;
}

// Of a global access, the region whose traffic it is; null for shared memory.
Region* Counters::region_of(Instruction& instruction, uint64_t address) {
  if (instruction.region == nullptr || !instruction.region->contains(address, 1)) {
    instruction.region = Checker::instance().region_at(address);
  }
  return instruction.region;
}

void Counters::uniform(uint32_t code, unsigned kind, uint32_t lanes, uint64_t address) {
  Instruction& from = instruction(code);
  add_uniform(&accesses_of(from.counters, kind), kind, lanes, address);
  if (space_of(kind) == Space::kShared) return;
  if (Region* const region = region_of(from, address)) {
    add_uniform(&accesses_of(region->traffic, kind), kind, lanes, address);
  }
}

void Counters::consecutive(uint32_t code, unsigned kind, uint64_t address) {
  Instruction& from = instruction(code);
  add_consecutive(&accesses_of(from.counters, kind), kind, address);
  if (space_of(kind) == Space::kShared) return;
  if (Region* const region = region_of(from, address)) {
    add_consecutive(&accesses_of(region->traffic, kind), kind, address);
  }
}

void Counters::request(uint32_t code, const Request& request) {
  Instruction& from = instruction(code);
  add_request(&accesses_of(from.counters, request.kind), request);
  if (space_of(request.kind) == Space::kShared) return;
  // Mostly all lanes access one allocation; if not, each gets the part that is its own.
  for (Request rest = request; rest.lanes != 0;) {
    Region* const region = region_of(from, rest.address[std::countr_zero(rest.lanes)]);
    Request part = rest;
    for (uint32_t lanes = rest.lanes; lanes != 0; lanes &= lanes - 1) {
      const int lane = std::countr_zero(lanes);
      if (region != nullptr && !region->contains(rest.address[lane], 1))
        part.lanes &= ~(1u << lane);
    }
    if (region != nullptr) add_request(&accesses_of(region->traffic, part.kind), part);
    rest.lanes &= ~part.lanes;
  }
}

// ---- host side ----

const std::vector<cpuDeviceLaunch>& Counters::launches() {
  if (launches_.size() != records_.size()) {
    launches_.clear();
    for (const auto& record : records_) {
      launches_.push_back(record->launch);
      launches_.back().kernel = record->kernel.c_str();
    }
  }
  return launches_;
}

const std::vector<cpuDeviceLine>& Counters::lines(size_t launch) {
  static const std::vector<cpuDeviceLine> none;
  if (launch >= records_.size()) return none;
  Record& record = *records_[launch];
  if (!record.lines.empty()) return record.lines;
  std::vector<uintptr_t> code;
  for (const auto& [low, counters] : record.instructions) {
    code.push_back(full_code(low, record.code_nearby) - 1);  // the call, not where it returns to
  }
  const std::vector<std::string> places = source_lines(code);
  std::map<std::pair<std::string, int>, cpuDeviceCounters> sums;
  size_t n = 0;
  for (const auto& [low, counters] : record.instructions) {
    const std::string& place = places[n++];
    const size_t colon = place.rfind(':');
    if (colon == std::string::npos) {
      add(sums[{place, 0}], counters);
    } else {
      add(sums[{place.substr(0, colon), atoi(place.c_str() + colon + 1)}], counters);
    }
  }
  for (const auto& [place, counters] : record.places) add(sums[place], counters);
  record.line_names.clear();
  for (const auto& [place, counters] : sums) {
    record.line_names.push_back(std::make_unique<std::string>(
        place.second == 0 ? place.first : place.first + ":" + std::to_string(place.second)));
    record.lines.push_back({record.line_names.back()->c_str(), counters});
  }
  return record.lines;
}

void Counters::clear() {
  records_.clear();
  launches_.clear();
  Checker::instance().clear_traffic();
}

}  // namespace cpu_device
