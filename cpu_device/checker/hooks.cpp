// The functions that g++ and clang call with -fsanitize=thread and -fsanitize=bounds, defined here and not by a sanitizer.
// Accesses of kernels go to the checker; atomic operations are carried out here.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "checker.h"
#include "counters.h"
#include "counters_report.h"
#include "cpu_device.h"
#include "cpu_device/threads.h"
#include "errors.h"

namespace cpu_device {
namespace {

// An access of a kernel that the fast path does not know, or one of host code.
[[gnu::noinline]] void on_other_access(
    uintptr_t address, size_t size, Access kind, uintptr_t code) {
  BlockRunner* const runner = BlockRunner::current();
  if (runner == nullptr) return Checker::instance().host_access(address, code);
  // g++ knows that threadIdx and its siblings are constant, and is silent about reads of them; clang is not.
  if (BlockRunner::is_built_in_variable(address)) return;
  // A thread that polls must let the others run, and here the watchdog cannot interrupt it.
  if (kind == Access::kVolatileRead) cpuDevicePoll();
  Checker::instance().access(*runner, address, size, kind, code);
  if (fast_path->log != nullptr && fast_path->log->full()) Counters::instance().make_room(*runner);
}

[[gnu::noinline]] void make_room() { Counters::instance().make_room(*BlockRunner::current()); }

void on_access(const volatile void* pointer, size_t size, Access kind, void* caller) {
  on_other_access(
      reinterpret_cast<uintptr_t>(pointer), size, kind, reinterpret_cast<uintptr_t>(caller));
}

// A plain load or store: what kernels do most.
template <unsigned kSize, bool kWrite>
inline void on_plain_access(const void* pointer, void* caller) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  const auto code = reinterpret_cast<uintptr_t>(caller);
  const FastPath* const path = fast_path;
  Space space;
  if (path == nullptr || !path->passes<kSize, kWrite>(address, &space)) {
    return on_other_access(address, kSize, kWrite ? Access::kWrite : Access::kRead, code);
  }
  if (path->log == nullptr) return;
  constexpr Operation kOperation = kWrite ? Operation::kStore : Operation::kLoad;
  constexpr unsigned kLogSize = __builtin_ctz(kSize);
  const uint64_t bits = space == Space::kGlobal
                            ? LoggedAccess::kind(Space::kGlobal, kOperation, kLogSize)
                            : LoggedAccess::kind(Space::kShared, kOperation, kLogSize);
  path->log->add(address | bits, static_cast<uint32_t>(code));
  if (path->log->full()) make_room();
}

// A range, checked in pieces of a word: copies of structures, memcpy and memset.
void on_range(const void* pointer, size_t size, Access kind, void* caller) {
  if (BlockRunner::current() == nullptr) {
    if (size > 0) on_access(pointer, 1, kind, caller);
    return;
  }
  auto address = reinterpret_cast<uintptr_t>(pointer);
  const uintptr_t end = address + size;
  while (address < end) {
    const uintptr_t next = (address & ~uintptr_t{3}) + 4;
    const size_t piece = (next < end ? next : end) - address;
    // Odd pieces byte by byte: their addresses need no alignment.
    const size_t step = piece == 4 ? 4 : 1;
    on_access(reinterpret_cast<const void*>(address), step, kind, caller);
    address += step;
  }
}

}  // namespace
}  // namespace cpu_device

using cpu_device::Access;
using cpu_device::BlockRunner;
using cpu_device::Checker;
using cpu_device::Counters;
using cpu_device::on_access;
using cpu_device::on_plain_access;
using cpu_device::on_range;

#define CALLER __builtin_return_address(0)

extern "C" {

void __tsan_init(void) {
  if (Checker::enabled()) return;
  Checker::enable();
  if (cpu_device::counters_asked_for()) Counters::instance().set_wanted(true);
  atexit([] { Checker::instance().program_ends(); });
}
void __tsan_func_entry(void*) {}
void __tsan_func_exit(void) {}
void __tsan_vptr_update(void** p, void*) { on_access(p, sizeof(*p), Access::kWrite, CALLER); }
void __tsan_vptr_read(void**) {}

#define CPU_DEVICE_HOOKS(size)                                                                    \
  void __tsan_read##size(void* p) { on_plain_access<size, false>(p, CALLER); }                    \
  void __tsan_write##size(void* p) { on_plain_access<size, true>(p, CALLER); }                    \
  void __tsan_volatile_read##size(void* p) { on_access(p, size, Access::kVolatileRead, CALLER); } \
  void __tsan_volatile_write##size(void* p) { on_access(p, size, Access::kVolatileWrite, CALLER); }
CPU_DEVICE_HOOKS(1)
CPU_DEVICE_HOOKS(2)
CPU_DEVICE_HOOKS(4)
CPU_DEVICE_HOOKS(8)
CPU_DEVICE_HOOKS(16)

// clang only: structures of 2 to 16 bytes whose alignment is smaller, where g++ calls read_range.
#define CPU_DEVICE_UNALIGNED_HOOKS(size)                                                    \
  void __tsan_unaligned_read##size(void* p) { on_range(p, size, Access::kCopy, CALLER); }   \
  void __tsan_unaligned_write##size(void* p) { on_range(p, size, Access::kWrite, CALLER); } \
  void __tsan_unaligned_volatile_read##size(void* p) {                                      \
    on_range(p, size, Access::kVolatileRead, CALLER);                                       \
  }                                                                                         \
  void __tsan_unaligned_volatile_write##size(void* p) {                                     \
    on_range(p, size, Access::kVolatileWrite, CALLER);                                      \
  }
CPU_DEVICE_UNALIGNED_HOOKS(2)
CPU_DEVICE_UNALIGNED_HOOKS(4)
CPU_DEVICE_UNALIGNED_HOOKS(8)
CPU_DEVICE_UNALIGNED_HOOKS(16)

void __tsan_read_range(void* p, size_t size) { on_range(p, size, Access::kCopy, CALLER); }
void __tsan_write_range(void* p, size_t size) { on_range(p, size, Access::kWrite, CALLER); }

#define CPU_DEVICE_ATOMIC_HOOKS(bits, T)                                                         \
  T __tsan_atomic##bits##_load(const volatile T* p, int order) {                                 \
    /* A relaxed load begins an operation that a compare-exchange ends. */                       \
    if (order != __ATOMIC_RELAXED) on_access(p, sizeof(T), Access::kVolatileRead, CALLER);       \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                              \
  void __tsan_atomic##bits##_store(volatile T* p, T value, int) {                                \
    on_access(p, sizeof(T), Access::kVolatileWrite, CALLER);                                     \
    __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                \
  }                                                                                              \
  T __tsan_atomic##bits##_exchange(volatile T* p, T value, int) {                                \
    on_access(p, sizeof(T), Access::kAtomic, CALLER);                                            \
    return __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);                                      \
  }                                                                                              \
  T __tsan_atomic##bits##_fetch_add(volatile T* p, T value, int) {                               \
    on_access(p, sizeof(T), Access::kAtomic, CALLER);                                            \
    return __atomic_fetch_add(p, value, __ATOMIC_SEQ_CST);                                       \
  }                                                                                              \
  T __tsan_atomic##bits##_fetch_sub(volatile T* p, T value, int) {                               \
    on_access(p, sizeof(T), Access::kAtomic, CALLER);                                            \
    return __atomic_fetch_sub(p, value, __ATOMIC_SEQ_CST);                                       \
  }                                                                                              \
  T __tsan_atomic##bits##_fetch_and(volatile T* p, T value, int) {                               \
    on_access(p, sizeof(T), Access::kAtomic, CALLER);                                            \
    return __atomic_fetch_and(p, value, __ATOMIC_SEQ_CST);                                       \
  }                                                                                              \
  T __tsan_atomic##bits##_fetch_or(volatile T* p, T value, int) {                                \
    on_access(p, sizeof(T), Access::kAtomic, CALLER);                                            \
    return __atomic_fetch_or(p, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                              \
  T __tsan_atomic##bits##_fetch_nand(volatile T* p, T value, int) {                              \
    on_access(p, sizeof(T), Access::kAtomic, CALLER);                                            \
    return __atomic_fetch_nand(p, value, __ATOMIC_SEQ_CST);                                      \
  }                                                                                              \
  T __tsan_atomic##bits##_fetch_xor(volatile T* p, T value, int) {                               \
    on_access(p, sizeof(T), Access::kAtomic, CALLER);                                            \
    return __atomic_fetch_xor(p, value, __ATOMIC_SEQ_CST);                                       \
  }                                                                                              \
  bool __tsan_atomic##bits##_compare_exchange_strong(                                            \
      volatile T* p, T* expected, T value, int, int) {                                           \
    on_access(p, sizeof(T), Access::kAtomic, CALLER);                                            \
    return __atomic_compare_exchange_n(                                                          \
        p, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                          \
  }                                                                                              \
  bool __tsan_atomic##bits##_compare_exchange_weak(                                              \
      volatile T* p, T* expected, T value, int, int) {                                           \
    on_access(p, sizeof(T), Access::kAtomic, CALLER);                                            \
    return __atomic_compare_exchange_n(                                                          \
        p, expected, value, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                           \
  }                                                                                              \
  /* clang's form of both: it returns what was there. */                                         \
  T __tsan_atomic##bits##_compare_exchange_val(volatile T* p, T expected, T value, int, int) {   \
    on_access(p, sizeof(T), Access::kAtomic, CALLER);                                            \
    __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    return expected;                                                                             \
  }
CPU_DEVICE_ATOMIC_HOOKS(8, unsigned char)
CPU_DEVICE_ATOMIC_HOOKS(16, unsigned short)
CPU_DEVICE_ATOMIC_HOOKS(32, unsigned int)
CPU_DEVICE_ATOMIC_HOOKS(64, unsigned long)

void __tsan_atomic_thread_fence(int) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (const BlockRunner* const runner = BlockRunner::current()) Checker::instance().fence(*runner);
}
void __tsan_atomic_signal_fence(int) {}

// The memory functions of a checked program: cucc links it with --wrap.
void* __wrap_memcpy(void* to, const void* from, size_t size) {
  on_range(from, size, Access::kCopy, CALLER);
  on_range(to, size, Access::kWrite, CALLER);
  return memcpy(to, from, size);
}
void* __wrap_memmove(void* to, const void* from, size_t size) {
  on_range(from, size, Access::kCopy, CALLER);
  on_range(to, size, Access::kWrite, CALLER);
  return memmove(to, from, size);
}
void* __wrap_memset(void* to, int value, size_t size) {
  on_range(to, size, Access::kWrite, CALLER);
  return memset(to, value, size);
}
// What clang calls for structures, from version 15 on.
[[gnu::alias("__wrap_memcpy")]] void* __tsan_memcpy(void* to, const void* from, size_t size);
[[gnu::alias("__wrap_memmove")]] void* __tsan_memmove(void* to, const void* from, size_t size);
[[gnu::alias("__wrap_memset")]] void* __tsan_memset(void* to, int value, size_t size);

// Functions of which kernels are to call few, counted where they are called.
#define CPU_DEVICE_EXP_HOOK(name, T)                                                  \
  T __wrap_##name(T x) {                                                              \
    if (cpu_device::fast_path != nullptr && cpu_device::fast_path->log != nullptr) {  \
      cpu_device::Counters::instance().exp_call(reinterpret_cast<uintptr_t>(CALLER)); \
    }                                                                                 \
    return name(x);                                                                   \
  }
CPU_DEVICE_EXP_HOOK(expf, float)
CPU_DEVICE_EXP_HOOK(exp2f, float)
CPU_DEVICE_EXP_HOOK(exp10f, float)
CPU_DEVICE_EXP_HOOK(expm1f, float)
CPU_DEVICE_EXP_HOOK(exp, double)
CPU_DEVICE_EXP_HOOK(exp2, double)
CPU_DEVICE_EXP_HOOK(exp10, double)
CPU_DEVICE_EXP_HOOK(expm1, double)

// -fsanitize=bounds: an index outside an array of known size. The layouts are the compiler's.
struct UbsanType {
  uint16_t kind, info;
  char name[1];
};
struct UbsanOutOfBounds {
  const char* file;
  uint32_t line, column;
  const UbsanType* array;
  const UbsanType* index;
};
void __ubsan_handle_out_of_bounds(UbsanOutOfBounds* data, uintptr_t index) {
  const BlockRunner* const runner = BlockRunner::current();
  if (runner == nullptr) return;
  // info: the index type's signedness in bit 0, the logarithm of its width above.
  const unsigned width = 1u << (data->index->info >> 1);
  const bool is_signed = (data->index->info & 1) != 0;
  long long value = static_cast<long long>(index);
  if (is_signed && width < 64)
    value = static_cast<long long>(index << (64 - width)) >> (64 - width);
  Checker::instance().bad_index(
      *runner, data->file, static_cast<int>(data->line), value, data->array->name);
}
// -fsanitize=alignment: a pointer whose address does not suit its type.
struct UbsanTypeMismatch {
  const char* file;
  uint32_t line, column;
  const UbsanType* type;
  unsigned char log_alignment, kind;
};
void __ubsan_handle_type_mismatch_v1(UbsanTypeMismatch* data, uintptr_t pointer) {
  const BlockRunner* const runner = BlockRunner::current();
  if (runner == nullptr || pointer == 0) return;
  Checker::instance().fault(
      *runner, "misaligned", data->file, static_cast<int>(data->line),
      std::string("access to ") + data->type->name + " at an address that is not a multiple of " +
          std::to_string(1u << data->log_alignment));
}
void __ubsan_handle_out_of_bounds_abort(UbsanOutOfBounds* data, uintptr_t index) {
  __ubsan_handle_out_of_bounds(data, index);
  abort();
}

void cpuDeviceReportFindings(void) {
  if (Checker::enabled()) Checker::instance().program_ends();
}

int cpuDeviceMarkReadOnly(const void* pointer, size_t size) {
  if (!Checker::enabled()) return 0;
  return Checker::instance().mark_read_only(reinterpret_cast<uintptr_t>(pointer), size) ? 1 : 0;
}

void* cpuDeviceSharedPlace(const void* key, size_t size, const char* name) {
  return Checker::instance().shared_place(key, size, name);
}
void* cpuDeviceDynamicShared(void) { return Checker::instance().dynamic_shared(); }

}  // extern "C"
