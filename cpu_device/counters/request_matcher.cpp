#include "request_matcher.h"

#include <algorithm>
#include <bit>

namespace cpu_device {
namespace {

// A lane may run ahead of the others by so many executions of one instruction.
constexpr size_t kMostPending = 2048;

constexpr uint64_t key_of(uint32_t code, unsigned kind) { return uint64_t{kind} << 32 | code; }

}  // namespace

// Takes the part of the logs in which all lanes executed the same instructions; returns its length.
uint32_t RequestMatcher::take_in_step(AccessLog* logs, uint32_t lanes, RequestSink* sink) {
  const unsigned leader = static_cast<unsigned>(std::countr_zero(lanes));
  uint32_t length = AccessLog::kCapacity;
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    length = std::min(length, logs[std::countr_zero(rest)].count);
  }
  // By position: bits in which any lane differs from the leader, and from where the leader's neighbour should be.
  uint32_t other_code[AccessLog::kCapacity];
  uint64_t other_access[AccessLog::kCapacity];
  uint64_t not_in_row[AccessLog::kCapacity];
  uint64_t size[AccessLog::kCapacity];
  const AccessLog& first = logs[leader];
  for (uint32_t i = 0; i < length; ++i) {
    other_code[i] = 0;
    other_access[i] = 0;
    not_in_row[i] = 0;
    size[i] = size_of(LoggedAccess(first.access[i]).kind());
  }
  for (unsigned lane = leader + 1; lane < 32; ++lane) {
    if ((lanes >> lane & 1u) == 0) continue;
    const AccessLog& log = logs[lane];
    for (uint32_t i = 0; i < length; ++i) other_code[i] |= log.code[i] ^ first.code[i];
    for (uint32_t i = 0; i < length; ++i) {
      other_access[i] |= log.access[i] ^ first.access[i];
      not_in_row[i] |= log.access[i] ^ (first.access[i] + (lane - leader) * size[i]);
    }
  }
  for (uint32_t i = 0; i < length; ++i) {
    if (other_code[i] != 0 || other_access[i] >> LoggedAccess::kAddressBits != 0) return i;
    const LoggedAccess access(first.access[i]);
    if (other_access[i] == 0) {
      sink->uniform(first.code[i], access.kind(), lanes, access.address());
    } else if (not_in_row[i] == 0 && lanes == ~0u) {
      sink->consecutive(first.code[i], access.kind(), access.address());
    } else {
      Request request{access.kind(), lanes, {}};
      for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
        const int lane = std::countr_zero(rest);
        request.address[lane] = LoggedAccess(logs[lane].access[i]).address();
      }
      sink->request(first.code[i], request);
    }
  }
  return length;
}

void RequestMatcher::take_one(
    unsigned lane, uint32_t code, LoggedAccess access, RequestSink* sink) {
  Instruction& instruction = instructions_[key_of(code, access.kind())];
  const uint64_t number = instruction.executions[lane]++;
  if (number < instruction.first) {  // its request was given up waiting for it
    Request request{access.kind(), 1u << lane, {}};
    request.address[lane] = access.address();
    return sink->request(code, request);
  }
  const size_t place = number - instruction.first;
  while (instruction.pending.size() <= place) instruction.pending.push_back({access.kind(), 0, {}});
  Request& request = instruction.pending[place];
  request.lanes |= 1u << lane;
  request.address[lane] = access.address();
}

void RequestMatcher::take(AccessLog* logs, uint32_t stopped, RequestSink* sink) {
  uint32_t lanes = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (logs[lane].count != 0) lanes |= 1u << lane;
  }
  if (lanes == 0) return;
  const uint32_t in_step = diverged_ ? 0 : take_in_step(logs, lanes, sink);
  for (unsigned lane = 0; lane < 32; ++lane) {
    AccessLog& log = logs[lane];
    diverged_ = diverged_ || log.count > in_step;
    for (uint32_t i = in_step; i < log.count; ++i) {
      take_one(lane, log.code[i], LoggedAccess(log.access[i]), sink);
    }
    log.count = 0;
  }
  for (auto& [key, instruction] : instructions_) {
    std::deque<Request>& pending = instruction.pending;
    while (!pending.empty() &&
           (pending.size() > kMostPending || (pending.front().lanes | stopped) == ~0u)) {
      sink->request(static_cast<uint32_t>(key), pending.front());
      pending.pop_front();
      ++instruction.first;
    }
  }
}

void RequestMatcher::together(RequestSink* sink) {
  for (const auto& [key, instruction] : instructions_) {
    for (const Request& request : instruction.pending) {
      sink->request(static_cast<uint32_t>(key), request);
    }
  }
  instructions_.clear();
  diverged_ = false;
}

}  // namespace cpu_device
