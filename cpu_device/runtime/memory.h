// Device memory: an address range of its own, in which every allocation lies between guard pages and no address is
// ever handed out twice, so that stray and stale pointers fault instead of hitting a neighbour.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <optional>

#include "cuda_runtime_api.h"

namespace cpu_device {

enum class MemoryKind { kDevice, kManaged, kHost };

struct Allocation {
  uintptr_t begin;
  size_t size;  // as asked for
  MemoryKind kind;
};

// cudaErrorMemoryAllocation when the device profile's memory is used up. *ptr is 256-byte aligned.
// The first 16 MiB of an allocation are filled with 0xFF bytes: NaN for floats, -1 for integers.
cudaError_t allocate(void** ptr, size_t size, MemoryKind kind);
cudaError_t release(void* ptr, bool host);
// Frees everything, as cudaDeviceReset does.
void release_all();

std::optional<Allocation> find_allocation(const void* ptr);
// The allocation that ends or begins nearest to an address inside the device's range: for fault messages.
std::optional<Allocation> nearest_allocation(uintptr_t address);
// True when the address lies below the highest one handed out so far.
bool was_allocated(uintptr_t address);
bool in_device_range(uintptr_t address);
struct AddressRange {
  uintptr_t begin;
  size_t size;
};
AddressRange device_range();

// Bytes of device memory in use, counted as asked for and rounded up to 256.
size_t device_bytes_in_use();
// The most they have been since the program began.
size_t device_bytes_at_peak();

}  // namespace cpu_device
