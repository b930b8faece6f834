// CUDA's atomic functions on int, unsigned, long long, unsigned long long, float and double: each returns the old value.
// The _block and _system forms are the same operation here.
#pragma once

#include <string.h>

extern "C" void cpuDevicePoll(void);

namespace cpu_device {

// Applies f to *address until no other thread came between. Bits is an integer type of T's size.
template <class Bits, class T, class F>
inline T atomic_update(T* address, F f) {
  static_assert(sizeof(Bits) == sizeof(T));
  Bits* const word = reinterpret_cast<Bits*>(address);
  Bits old_bits = __atomic_load_n(word, __ATOMIC_RELAXED);
  for (;;) {
    T old_value;
    memcpy(&old_value, &old_bits, sizeof(T));
    const T new_value = f(old_value);
    Bits new_bits;
    memcpy(&new_bits, &new_value, sizeof(T));
    if (__atomic_compare_exchange_n(
            word, &old_bits, new_bits, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
      cpuDevicePoll();
      return old_value;
    }
  }
}

}  // namespace cpu_device

#define CPU_DEVICE_ATOMIC_BUILTIN(name, T, builtin)          \
  inline T name(T* address, T value) {                       \
    const T old = builtin(address, value, __ATOMIC_SEQ_CST); \
    cpuDevicePoll();                                         \
    return old;                                              \
  }                                                          \
  inline T name##_block(T* a, T v) { return name(a, v); }    \
  inline T name##_system(T* a, T v) { return name(a, v); }
#define CPU_DEVICE_ATOMIC_UPDATE(name, T, Bits, expression)                                    \
  inline T name(T* address, T value) {                                                         \
    return cpu_device::atomic_update<Bits>(address, [=](T old) -> T { return (expression); }); \
  }                                                                                            \
  inline T name##_block(T* a, T v) { return name(a, v); }                                      \
  inline T name##_system(T* a, T v) { return name(a, v); }
#define CPU_DEVICE_ATOMIC_CAS(T)                                              \
  inline T atomicCAS(T* address, T compare, T value) {                        \
    __atomic_compare_exchange_n(                                              \
        address, &compare, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    cpuDevicePoll();                                                          \
    return compare;                                                           \
  }                                                                           \
  inline T atomicCAS_block(T* a, T c, T v) { return atomicCAS(a, c, v); }     \
  inline T atomicCAS_system(T* a, T c, T v) { return atomicCAS(a, c, v); }
#define CPU_DEVICE_ATOMIC_INTEGER(T)                                   \
  CPU_DEVICE_ATOMIC_BUILTIN(atomicExch, T, __atomic_exchange_n)        \
  CPU_DEVICE_ATOMIC_BUILTIN(atomicAnd, T, __atomic_fetch_and)          \
  CPU_DEVICE_ATOMIC_BUILTIN(atomicOr, T, __atomic_fetch_or)            \
  CPU_DEVICE_ATOMIC_BUILTIN(atomicXor, T, __atomic_fetch_xor)          \
  CPU_DEVICE_ATOMIC_UPDATE(atomicMax, T, T, old < value ? value : old) \
  CPU_DEVICE_ATOMIC_UPDATE(atomicMin, T, T, value < old ? value : old) \
  CPU_DEVICE_ATOMIC_CAS(T)

CPU_DEVICE_ATOMIC_INTEGER(int)
CPU_DEVICE_ATOMIC_INTEGER(unsigned int)
CPU_DEVICE_ATOMIC_INTEGER(long long)
CPU_DEVICE_ATOMIC_INTEGER(unsigned long long)
CPU_DEVICE_ATOMIC_CAS(unsigned short)
CPU_DEVICE_ATOMIC_BUILTIN(atomicAdd, int, __atomic_fetch_add)
CPU_DEVICE_ATOMIC_BUILTIN(atomicAdd, unsigned int, __atomic_fetch_add)
CPU_DEVICE_ATOMIC_BUILTIN(atomicAdd, unsigned long long, __atomic_fetch_add)
CPU_DEVICE_ATOMIC_BUILTIN(atomicSub, int, __atomic_fetch_sub)
CPU_DEVICE_ATOMIC_BUILTIN(atomicSub, unsigned int, __atomic_fetch_sub)
CPU_DEVICE_ATOMIC_UPDATE(atomicInc, unsigned int, unsigned int, old >= value ? 0u : old + 1u)
CPU_DEVICE_ATOMIC_UPDATE(
    atomicDec, unsigned int, unsigned int, (old == 0u || old > value) ? value : old - 1u)
CPU_DEVICE_ATOMIC_UPDATE(atomicAdd, float, unsigned int, old + value)
CPU_DEVICE_ATOMIC_UPDATE(atomicAdd, double, unsigned long long, old + value)
CPU_DEVICE_ATOMIC_UPDATE(atomicExch, float, unsigned int, (static_cast<void>(old), value))

#undef CPU_DEVICE_ATOMIC_INTEGER
#undef CPU_DEVICE_ATOMIC_CAS
#undef CPU_DEVICE_ATOMIC_UPDATE
#undef CPU_DEVICE_ATOMIC_BUILTIN
