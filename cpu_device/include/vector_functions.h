// make_float4 and its siblings.
#pragma once

#include "vector_types.h"

#define CPU_DEVICE_MAKE(name, type)                                                      \
  constexpr name##1 make_##name##1(type x) { return name##1 {x}; }                       \
  constexpr name##2 make_##name##2(type x, type y) { return name##2 {x, y}; }            \
  constexpr name##3 make_##name##3(type x, type y, type z) { return name##3 {x, y, z}; } \
  constexpr name##4 make_##name##4(type x, type y, type z, type w) { return name##4 {x, y, z, w}; }

CPU_DEVICE_MAKE(char, signed char)
CPU_DEVICE_MAKE(uchar, unsigned char)
CPU_DEVICE_MAKE(short, short)
CPU_DEVICE_MAKE(ushort, unsigned short)
CPU_DEVICE_MAKE(int, int)
CPU_DEVICE_MAKE(uint, unsigned int)
CPU_DEVICE_MAKE(long, long)
CPU_DEVICE_MAKE(ulong, unsigned long)
CPU_DEVICE_MAKE(longlong, long long)
CPU_DEVICE_MAKE(ulonglong, unsigned long long)
CPU_DEVICE_MAKE(float, float)
CPU_DEVICE_MAKE(double, double)

#undef CPU_DEVICE_MAKE
