#include "access_log.h"

namespace cpu_device {
namespace {

// Whether the accesses from number `first` on are those to the members of one vector, in order.
bool are_members(const AccessLog& log, uint32_t first, uint32_t members) {
  if (first + members > log.count) return false;
  const LoggedAccess begin(log.access[first]);
  const unsigned size = size_of(begin.kind());
  if (operation_of(begin.kind()) == Operation::kAtomic || size < 4 || size * members > 16 ||
      begin.address() % (size * members) != 0) {
    return false;
  }
  for (uint32_t n = 1; n < members; ++n) {
    if (log.access[first + n] != log.access[first] + n * size) return false;
    if (log.code[first + n] == log.code[first]) return false;
  }
  return true;
}

uint64_t widened(uint64_t access, uint32_t members) {
  const LoggedAccess narrow(access);
  const auto log_size = static_cast<unsigned>(__builtin_ctz(size_of(narrow.kind()) * members));
  return narrow.address() |
         LoggedAccess::kind(space_of(narrow.kind()), operation_of(narrow.kind()), log_size);
}

}  // namespace

void AccessLog::join_members() {
  uint32_t kept = 0;
  for (uint32_t n = 0; n < count;) {
    const uint32_t members = are_members(*this, n, 4) ? 4 : are_members(*this, n, 2) ? 2 : 1;
    access[kept] = members == 1 ? access[n] : widened(access[n], members);
    code[kept] = code[n];
    ++kept;
    n += members;
  }
  count = kept;
}

}  // namespace cpu_device
