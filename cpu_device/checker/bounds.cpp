// Accesses outside what a kernel may touch: which kind of memory was left, and by how much.
#include "block.h"
#include "checker.h"
#include "fault.h"
#include "memory.h"
#include "module.h"
#include "regions.h"

namespace cpu_device {

void Checker::bad_index(
    const BlockRunner& runner, const char* file, int line, long long index, const char* type) {
  settle_bad_index("local-out-of-bounds");
  bad_index_ = describe(
      runner, Severity::kError, "local-out-of-bounds", {0, file, line}, {},
      "index " + std::to_string(index) + " of an array of type " + type);
  bad_index_pending_ = true;
}

// An access follows a bad index. If it is on the same line it is the one, and tells which kind of memory the array is in.
bool Checker::settle_bad_index_at(uintptr_t address, const Region* region, uintptr_t code) {
  // Once for each instruction: a loop may make a million bad indices, and addr2line takes a millisecond.
  const auto [known, is_new] = lines_of_bad_indices_.try_emplace(code);
  if (is_new) known->second = source_line(code - 1);
  const std::string& line = known->second;
  const std::string wanted =
      std::string(bad_index_.place.file) + ":" + std::to_string(bad_index_.place.line);
  const auto base = [](const std::string& path) { return path.substr(path.rfind('/') + 1); };
  if (base(line) != base(wanted)) {
    settle_bad_index("local-out-of-bounds");
    return false;
  }
  // Inside an allocation all is well with the access: the array is a local one, which no access shows.
  if (region != nullptr && in_device_range(address)) {
    settle_bad_index("local-out-of-bounds");
    return false;
  }
  const Region* const variable = region == nullptr ? nearest_variable(address) : region;
  settle_bad_index(
      shared_.contains(address)                   ? "shared-out-of-bounds"
      : in_device_range(address)                  ? "global-out-of-bounds"
      : variable != nullptr && variable->constant ? "constant-out-of-bounds"
      : variable != nullptr                       ? "global-out-of-bounds"
                                                  : "local-out-of-bounds");
  return true;
}

// The __device__ or __constant__ variable that ends or begins within a few KiB of an address.
const Region* Checker::nearest_variable(uintptr_t address) const {
  const Region* best = nullptr;
  size_t distance = 4096;
  for (const auto& region : variables_) {
    const size_t here = address < region->begin ? region->begin - address
                        : address >= region->begin + region->size
                            ? address - region->begin - region->size
                            : 0;
    if (here < distance) {
      distance = here;
      best = region.get();
    }
  }
  return best;
}

// Variables of the program that are none of the device's: a kernel gets there only by leaving one that is, or by a
// pointer to host memory. Constants are read-only for the processor too, and are no one's mistake.
bool Checker::check_near_variable(
    const BlockRunner& runner, uintptr_t address, size_t size, bool write, uintptr_t code) {
  if (runner.is_own_stack(address) || !is_writable_data(address)) return false;
  const std::string what = std::string(write ? "write of " : "read of ") + bytes(size) + " ";
  const Region* const near = nearest_variable(address);
  const Place place{code, nullptr, 0};
  if (near != nullptr) {
    add(runner, Severity::kError,
        near->constant ? "constant-out-of-bounds" : "global-out-of-bounds", place, {},
        what + "outside " + name_of(*near));
  } else {
    add(runner, Severity::kError, "host-pointer", place, {},
        what + "of a variable of the host: a kernel reaches only memory of the device");
  }
  return true;
}

void Checker::settle_bad_index(const char* kind) {
  if (!bad_index_pending_) return;
  bad_index_pending_ = false;
  bad_index_.kind = kind;
  if (count_finding(Severity::kError, kind, bad_index_.place, {})) describe_finding(bad_index_);
}

void Checker::out_of_bounds(
    const BlockRunner& runner, uintptr_t address, size_t size, const Region* region, bool write,
    uintptr_t code) {
  const Place place{code, nullptr, 0};
  const std::string what = std::string(write ? "write of " : "read of ") + bytes(size) + " ";
  if (shared_.contains(address)) {
    const Region* const near = region != nullptr ? region : shared_.nearest(address);
    std::string where = "outside all shared memory of the block";
    if (near != nullptr) {
      const uintptr_t end = near->begin + near->size;
      where = address >= near->begin
                  ? bytes(address + size > end && address < end ? 0 : address - end) +
                        " past the end of "
                  : bytes(near->begin - address) + " before ";
      where += name_of(*near);
    }
    add(runner, Severity::kError, "shared-out-of-bounds", place, {}, what + where);
  } else if (address < kGranule) {
    add(runner, Severity::kError, "null-pointer", place, {}, what + "through a null pointer");
  } else if (!in_device_range(address)) {
    add(runner, Severity::kError, "host-pointer", place, {},
        what + "of host memory: a kernel reaches only memory of the device");
  } else if (region != nullptr && region->freed && address - region->begin < region->size) {
    add(runner, Severity::kError, "use-after-free", place, {},
        what + "in memory that has been freed");
  } else {
    add(runner, Severity::kError, "global-out-of-bounds", place, {},
        what + "at " + describe_address(address));
  }
}

}  // namespace cpu_device
