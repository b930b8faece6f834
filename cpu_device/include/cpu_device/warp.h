// Warp-level functions: shuffles, votes, matches, reductions and __syncwarp.
// Every lane named in the mask that has not returned must arrive; the runtime then hands out all results at once.
#pragma once

#include <stdint.h>
#include <string.h>

extern "C" {
enum cpuDeviceWarpOp {
  cpuDeviceWarpSync,
  cpuDeviceWarpShuffle,
  cpuDeviceWarpShuffleUp,
  cpuDeviceWarpShuffleDown,
  cpuDeviceWarpShuffleXor,
  cpuDeviceWarpBallot,
  cpuDeviceWarpMatchAny,
  cpuDeviceWarpMatchAll,
  cpuDeviceWarpActive
};
// Result of a warp function: bits is a shuffled value (or a match mask), lanes a ballot or the lanes that took part.
struct cpuDeviceWarpResult {
  uint64_t bits;
  uint32_t lanes;
};
struct cpuDeviceWarpResult cpuDeviceWarp(
    enum cpuDeviceWarpOp op, uint32_t mask, uint64_t bits, int argument, int width,
    const char* file, int line);
// Lane number of the calling thread, and the 32-bit masks of PTX's %lanemask registers.
uint32_t cpuDeviceLane(void);
}

namespace cpu_device {

template <class T>
inline uint64_t to_bits(T value) {
  static_assert(sizeof(T) <= 8, "warp functions take types of at most 8 bytes");
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(T));
  return bits;
}

template <class T>
inline T from_bits(uint64_t bits) {
  T value;
  memcpy(&value, &bits, sizeof(T));
  return value;
}

template <class T>
inline T shuffle(
    cpuDeviceWarpOp op, unsigned mask, T value, int argument, int width, const char* file,
    int line) {
  return from_bits<T>(cpuDeviceWarp(op, mask, to_bits(value), argument, width, file, line).bits);
}

}  // namespace cpu_device

#define CPU_DEVICE_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

template <class T>
inline T __shfl_sync(unsigned mask, T value, int src_lane, int width = 32, CPU_DEVICE_SITE) {
  return cpu_device::shuffle(cpuDeviceWarpShuffle, mask, value, src_lane, width, file, line);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, CPU_DEVICE_SITE) {
  return cpu_device::shuffle(
      cpuDeviceWarpShuffleUp, mask, value, static_cast<int>(delta), width, file, line);
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, CPU_DEVICE_SITE) {
  return cpu_device::shuffle(
      cpuDeviceWarpShuffleDown, mask, value, static_cast<int>(delta), width, file, line);
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, CPU_DEVICE_SITE) {
  return cpu_device::shuffle(cpuDeviceWarpShuffleXor, mask, value, lane_mask, width, file, line);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, CPU_DEVICE_SITE) {
  return static_cast<unsigned>(
      cpuDeviceWarp(cpuDeviceWarpBallot, mask, predicate != 0, 0, 32, file, line).bits);
}
inline int __all_sync(unsigned mask, int predicate, CPU_DEVICE_SITE) {
  const cpuDeviceWarpResult r =
      cpuDeviceWarp(cpuDeviceWarpBallot, mask, predicate != 0, 0, 32, file, line);
  return static_cast<uint32_t>(r.bits) == r.lanes;
}
inline int __any_sync(unsigned mask, int predicate, CPU_DEVICE_SITE) {
  return cpuDeviceWarp(cpuDeviceWarpBallot, mask, predicate != 0, 0, 32, file, line).bits != 0;
}
inline unsigned __activemask(CPU_DEVICE_SITE) {
  return cpuDeviceWarp(cpuDeviceWarpActive, 0, 0, 0, 32, file, line).lanes;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, CPU_DEVICE_SITE) {
  cpuDeviceWarp(cpuDeviceWarpSync, mask, 0, 0, 32, file, line);
}
template <class T>
inline unsigned __match_any_sync(unsigned mask, T value, CPU_DEVICE_SITE) {
  return static_cast<unsigned>(
      cpuDeviceWarp(cpuDeviceWarpMatchAny, mask, cpu_device::to_bits(value), 0, 32, file, line)
          .bits);
}
template <class T>
inline unsigned __match_all_sync(unsigned mask, T value, int* predicate, CPU_DEVICE_SITE) {
  const unsigned same = static_cast<unsigned>(
      cpuDeviceWarp(cpuDeviceWarpMatchAll, mask, cpu_device::to_bits(value), 0, 32, file, line)
          .bits);
  *predicate = same != 0;
  return same;
}

// Integer reductions over the lanes of the mask, as the hardware has them since compute capability 8.0.
#define CPU_DEVICE_REDUCE(name, T, expression)                               \
  inline T __reduce_##name##_sync(unsigned mask, T value, CPU_DEVICE_SITE) { \
    T a = value;                                                             \
    bool first = true;                                                       \
    for (int lane = 0; lane < 32; ++lane) {                                  \
      if (!(mask >> lane & 1u)) continue;                                    \
      const T b = __shfl_sync(mask, value, lane, 32, file, line);            \
      a = first ? b : static_cast<T>(expression);                            \
      first = false;                                                         \
    }                                                                        \
    return a;                                                                \
  }
CPU_DEVICE_REDUCE(add, unsigned, a + b)
CPU_DEVICE_REDUCE(min, unsigned, b < a ? b : a)
CPU_DEVICE_REDUCE(max, unsigned, a < b ? b : a)
CPU_DEVICE_REDUCE(add, int, static_cast<unsigned>(a) + static_cast<unsigned>(b))
CPU_DEVICE_REDUCE(min, int, b < a ? b : a)
CPU_DEVICE_REDUCE(max, int, a < b ? b : a)
CPU_DEVICE_REDUCE(and, unsigned, a& b)
CPU_DEVICE_REDUCE(or, unsigned, a | b)
CPU_DEVICE_REDUCE(xor, unsigned, a ^ b)
#undef CPU_DEVICE_REDUCE
