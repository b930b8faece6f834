// CUDA's built-in vector types and dim3: same members, sizes and alignments as nvcc's.
#pragma once

#define CPU_DEVICE_VECTOR_1(name, type) \
  struct name##1 {                      \
    type x;                             \
  };
#define CPU_DEVICE_VECTOR_3(name, type) \
  struct name##3 {                      \
    type x, y, z;                       \
  };
#if !defined(CPU_DEVICE_CHECKED) || defined(CPU_DEVICE_PLAIN_VECTORS)
#define CPU_DEVICE_VECTOR_2(name, type, alignment) \
  struct alignas(alignment) name##2 {              \
    type x, y;                                     \
  };
#define CPU_DEVICE_VECTOR_4(name, type, alignment) \
  struct alignas(alignment) name##4 {              \
    type x, y, z, w;                               \
  };
#else
// A GPU loads and stores such a vector as a whole, and cucc --check has to see that: left alone, g++ copies a structure
// member by member. So these have copy operations of their own, which move the whole vector at once. Where a program does not
// compile with such classes, cucc takes the plain structures, and the runtime puts neighbouring accesses together again.
namespace cpu_device {
template <unsigned long kSize>
struct Whole;
template <>
struct Whole<2> {
  typedef unsigned short __attribute__((may_alias)) type;
};
template <>
struct Whole<4> {
  typedef unsigned int __attribute__((may_alias)) type;
};
template <>
struct Whole<8> {
  typedef unsigned long __attribute__((may_alias)) type;
};
template <>
struct Whole<16> {
  typedef unsigned long __attribute__((vector_size(16), may_alias)) type;
};
// The reference that comes here has been checked for its alignment, at the program's own line.
template <class T>
__attribute__((always_inline, no_sanitize("alignment"))) inline void copy_whole(
    T* to, const T* from) {
  if constexpr (sizeof(T) == 32) {  // a GPU moves 16 bytes at most
    auto* const halves = reinterpret_cast<Whole<16>::type*>(to);
    const auto* const from_halves = reinterpret_cast<const Whole<16>::type*>(from);
    halves[0] = from_halves[0];
    halves[1] = from_halves[1];
  } else {
    using Type = typename Whole<sizeof(T)>::type;
    *reinterpret_cast<Type*>(to) = *reinterpret_cast<const Type*>(from);
  }
}
}  // namespace cpu_device

#define CPU_DEVICE_COPIES(Vector, members)                                          \
  Vector() = default;                                                               \
  __attribute__((always_inline)) constexpr Vector(const Vector& other) {            \
    if (__builtin_is_constant_evaluated()) {                                        \
      members                                                                       \
    } else {                                                                        \
      cpu_device::copy_whole(this, &other);                                         \
    }                                                                               \
  }                                                                                 \
  __attribute__((always_inline)) constexpr Vector& operator=(const Vector& other) { \
    if (__builtin_is_constant_evaluated()) {                                        \
      members                                                                       \
    } else {                                                                        \
      cpu_device::copy_whole(this, &other);                                         \
    }                                                                               \
    return *this;                                                                   \
  }
#define CPU_DEVICE_VECTOR_2(name, type, alignment)                                            \
  struct alignas(alignment) name##2 {                                                         \
    type x, y;                                                                                \
    __attribute__((always_inline)) constexpr name##2(type vx, type vy = {}) : x(vx), y(vy) {} \
    CPU_DEVICE_COPIES(name##2, x = other.x; y = other.y;)                                     \
  };
#define CPU_DEVICE_VECTOR_4(name, type, alignment)                                  \
  struct alignas(alignment) name##4 {                                               \
    type x, y, z, w;                                                                \
    __attribute__((always_inline)) constexpr name##4(                               \
        type vx, type vy = {}, type vz = {}, type vw = {})                          \
        : x(vx), y(vy), z(vz), w(vw) {}                                             \
    CPU_DEVICE_COPIES(name##4, x = other.x; y = other.y; z = other.z; w = other.w;) \
  };
#endif
#define CPU_DEVICE_VECTORS(name, type, alignment2, alignment4) \
  CPU_DEVICE_VECTOR_1(name, type)                              \
  CPU_DEVICE_VECTOR_2(name, type, alignment2)                  \
  CPU_DEVICE_VECTOR_3(name, type)                              \
  CPU_DEVICE_VECTOR_4(name, type, alignment4)

CPU_DEVICE_VECTORS(char, signed char, 2, 4)
CPU_DEVICE_VECTORS(uchar, unsigned char, 2, 4)
CPU_DEVICE_VECTORS(short, short, 4, 8)
CPU_DEVICE_VECTORS(ushort, unsigned short, 4, 8)
CPU_DEVICE_VECTORS(int, int, 8, 16)
CPU_DEVICE_VECTORS(uint, unsigned int, 8, 16)
CPU_DEVICE_VECTORS(long, long, 16, 16)
CPU_DEVICE_VECTORS(ulong, unsigned long, 16, 16)
CPU_DEVICE_VECTORS(longlong, long long, 16, 16)
CPU_DEVICE_VECTORS(ulonglong, unsigned long long, 16, 16)
CPU_DEVICE_VECTORS(float, float, 8, 16)
CPU_DEVICE_VECTORS(double, double, 16, 16)

#undef CPU_DEVICE_VECTORS
#undef CPU_DEVICE_VECTOR_1
#undef CPU_DEVICE_VECTOR_2
#undef CPU_DEVICE_VECTOR_3
#undef CPU_DEVICE_VECTOR_4
#undef CPU_DEVICE_COPIES

struct dim3 {
  unsigned int x, y, z;
  constexpr dim3(unsigned int vx = 1, unsigned int vy = 1, unsigned int vz = 1)
      : x(vx), y(vy), z(vz) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
  constexpr operator uint3() const { return uint3{x, y, z}; }
};
