// CUDA's built-in vector types and dim3: same members, sizes and alignments as nvcc's.
#pragma once

#define CPU_DEVICE_VECTOR_1(name, type) \
  struct name##1 {                      \
    type x;                             \
  };
#define CPU_DEVICE_VECTOR_2(name, type, alignment) \
  struct alignas(alignment) name##2 {              \
    type x, y;                                     \
  };
#define CPU_DEVICE_VECTOR_3(name, type) \
  struct name##3 {                      \
    type x, y, z;                       \
  };
#define CPU_DEVICE_VECTOR_4(name, type, alignment) \
  struct alignas(alignment) name##4 {              \
    type x, y, z, w;                               \
  };
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

struct dim3 {
  unsigned int x, y, z;
  constexpr dim3(unsigned int vx = 1, unsigned int vy = 1, unsigned int vz = 1)
      : x(vx), y(vy), z(vz) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
  constexpr operator uint3() const { return uint3{x, y, z}; }
};
