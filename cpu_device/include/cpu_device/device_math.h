// CUDA's device functions that C's <math.h> does not have: intrinsics, bit operations, conversions, min and max.
// The fast intrinsics (__expf and the like) are computed as exactly as their slow siblings.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

namespace cpu_device {
template <class To, class From>
inline To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}
}  // namespace cpu_device

// min and max of any two arithmetic types of the list, computed in the type the usual conversions give.
#define CPU_DEVICE_MIN_MAX(A, B, R)                                                       \
  inline R min(A a, B b) {                                                                \
    return static_cast<R>(a) < static_cast<R>(b) ? static_cast<R>(a) : static_cast<R>(b); \
  }                                                                                       \
  inline R max(A a, B b) {                                                                \
    return static_cast<R>(a) > static_cast<R>(b) ? static_cast<R>(a) : static_cast<R>(b); \
  }
CPU_DEVICE_MIN_MAX(int, int, int)
CPU_DEVICE_MIN_MAX(unsigned int, unsigned int, unsigned int)
CPU_DEVICE_MIN_MAX(int, unsigned int, unsigned int)
CPU_DEVICE_MIN_MAX(unsigned int, int, unsigned int)
CPU_DEVICE_MIN_MAX(long, long, long)
CPU_DEVICE_MIN_MAX(unsigned long, unsigned long, unsigned long)
CPU_DEVICE_MIN_MAX(long, unsigned long, unsigned long)
CPU_DEVICE_MIN_MAX(unsigned long, long, unsigned long)
CPU_DEVICE_MIN_MAX(long long, long long, long long)
CPU_DEVICE_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
CPU_DEVICE_MIN_MAX(long long, unsigned long long, unsigned long long)
CPU_DEVICE_MIN_MAX(unsigned long long, long long, unsigned long long)
#undef CPU_DEVICE_MIN_MAX
// A NaN operand loses against a number, as fminf and fmaxf have it.
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline double min(float a, double b) { return fmin(a, b); }
inline double max(float a, double b) { return fmax(a, b); }
inline double min(double a, float b) { return fmin(a, b); }
inline double max(double a, float b) { return fmax(a, b); }

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float rcbrtf(float x) { return 1.0f / cbrtf(x); }
inline double rcbrt(double x) { return 1.0 / cbrt(x); }
inline float sinpif(float x) { return static_cast<float>(sin(x * 3.14159265358979323846)); }
inline float cospif(float x) { return static_cast<float>(cos(x * 3.14159265358979323846)); }
inline float normcdff(float x) { return 0.5f * erfcf(-x * 0.707106781f); }
inline float norm3df(float a, float b, float c) { return sqrtf(a * a + b * b + c * c); }

// The C library declares some of these names itself, hence extern "C" and noexcept.
extern "C" {
inline float __expf(float x) noexcept { return expf(x); }
inline float __exp10f(float x) noexcept { return exp10f(x); }
inline float __logf(float x) noexcept { return logf(x); }
inline float __log2f(float x) noexcept { return log2f(x); }
inline float __log10f(float x) noexcept { return log10f(x); }
inline float __powf(float x, float y) noexcept { return powf(x, y); }
inline float __sinf(float x) noexcept { return sinf(x); }
inline float __cosf(float x) noexcept { return cosf(x); }
inline float __tanf(float x) noexcept { return tanf(x); }
inline void __sincosf(float x, float* s, float* c) noexcept {
  *s = sinf(x);
  *c = cosf(x);
}
}
inline float __tanhf(float x) { return tanhf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __saturatef(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frsqrt_rn(float x) { return rsqrtf(x); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }

template <class T>
inline T __ldg(const T* p) {
  return *p;
}
template <class T>
inline T __ldcg(const T* p) {
  return *p;
}
template <class T>
inline T __ldcs(const T* p) {
  return *p;
}
template <class T>
inline void __stcg(T* p, T value) {
  *p = value;
}
template <class T>
inline void __stcs(T* p, T value) {
  *p = value;
}

inline int __float_as_int(float x) { return cpu_device::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return cpu_device::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return cpu_device::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return cpu_device::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return cpu_device::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return cpu_device::bit_cast<double>(x); }
inline int __double2hiint(double x) { return static_cast<int>(__double_as_longlong(x) >> 32); }
inline int __double2loint(double x) { return static_cast<int>(__double_as_longlong(x)); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __clzll(long long x) {
  return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x));
}
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
  unsigned r = 0;
  for (int bit = 0; bit < 32; ++bit) r |= (x >> bit & 1u) << (31 - bit);
  return r;
}
inline unsigned long long __brevll(unsigned long long x) {
  return static_cast<unsigned long long>(__brev(static_cast<unsigned>(x))) << 32 |
         __brev(static_cast<unsigned>(x >> 32));
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  const unsigned long long bytes = static_cast<unsigned long long>(y) << 32 | x;
  unsigned r = 0;
  for (int i = 0; i < 4; ++i) {
    const unsigned pick = selector >> (4 * i);
    unsigned byte = static_cast<unsigned>(bytes >> (8 * (pick & 7u))) & 0xffu;
    if (pick & 8u) byte = byte & 0x80u ? 0xffu : 0u;
    r |= byte << (8 * i);
  }
  return r;
}
inline int __mul24(int a, int b) {
  const int a24 = static_cast<int>(static_cast<unsigned>(a) << 8) >> 8;
  const int b24 = static_cast<int>(static_cast<unsigned>(b) << 8) >> 8;
  return static_cast<int>(static_cast<long long>(a24) * b24);
}
inline unsigned __umul24(unsigned a, unsigned b) { return (a & 0xffffffu) * (b & 0xffffffu); }
inline int __mulhi(int a, int b) { return static_cast<int>(static_cast<long long>(a) * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}
inline long long __mul64hi(long long a, long long b) {
  return static_cast<long long>(static_cast<__int128>(a) * b >> 64);
}
inline unsigned __sad(int a, int b, unsigned c) {
  return c + static_cast<unsigned>(
                 a < b ? static_cast<long long>(b) - a : static_cast<long long>(a) - b);
}
inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned shift) {
  const unsigned long long both = static_cast<unsigned long long>(hi) << 32 | lo;
  return static_cast<unsigned>(both << (shift & 31u) >> 32);
}
inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned shift) {
  const unsigned long long both = static_cast<unsigned long long>(hi) << 32 | lo;
  return static_cast<unsigned>(both >> (shift & 31u));
}

// Conversions: rn rounds to nearest even, rz toward zero, rd down, ru up; out of range saturates as on the hardware.
namespace cpu_device {
template <class I, class F>
inline I saturate_to(F x) {
  constexpr I lowest = static_cast<I>(-1) < 0 ? static_cast<I>(1ull << (sizeof(I) * 8 - 1)) : 0;
  constexpr I highest = static_cast<I>(~lowest);
  if (!(x == x)) return 0;
  if (x <= static_cast<F>(lowest)) return lowest;
  if (x >= static_cast<F>(highest)) return highest;
  return static_cast<I>(x);
}
}  // namespace cpu_device
#define CPU_DEVICE_CONVERT(from, F, to, I)                                                      \
  inline I __##from##2##to##_rn(F x) { return cpu_device::saturate_to<I>(__builtin_rint(x)); }  \
  inline I __##from##2##to##_rz(F x) { return cpu_device::saturate_to<I>(__builtin_trunc(x)); } \
  inline I __##from##2##to##_rd(F x) { return cpu_device::saturate_to<I>(__builtin_floor(x)); } \
  inline I __##from##2##to##_ru(F x) { return cpu_device::saturate_to<I>(__builtin_ceil(x)); }
CPU_DEVICE_CONVERT(float, float, int, int)
CPU_DEVICE_CONVERT(float, float, uint, unsigned)
CPU_DEVICE_CONVERT(float, float, ll, long long)
CPU_DEVICE_CONVERT(float, float, ull, unsigned long long)
CPU_DEVICE_CONVERT(double, double, int, int)
CPU_DEVICE_CONVERT(double, double, uint, unsigned)
CPU_DEVICE_CONVERT(double, double, ll, long long)
CPU_DEVICE_CONVERT(double, double, ull, unsigned long long)
#undef CPU_DEVICE_CONVERT
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __ll2float_rn(long long x) { return static_cast<float>(x); }
inline float __ull2float_rn(unsigned long long x) { return static_cast<float>(x); }
inline double __int2double_rn(int x) { return x; }
inline float __double2float_rn(double x) { return static_cast<float>(x); }
