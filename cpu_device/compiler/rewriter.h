// Turns preprocessed CUDA C++ into C++ that g++ compiles against the CPU device's headers. Every line stays where it is,
// so that messages and debug information name the programmer's own file and line.
//
// What is rewritten, and into what:
//   k<<<grid, block>>>(a)            (::cpu_device::configure(grid, block) ? (void)0 : k(a))
//   __global__ void k(T a) {         the same, with a first statement that makes it its own host stub (cpu_device/kernel.h)
//   __shared__ T x;                  static __thread T x;
//   extern __shared__ T x[];         a reference to the block's dynamic shared memory
//   __device__ T x; __constant__ ... the same, followed by its registration
//   __device__, __host__ elsewhere   nothing
//   #pragma unroll                   #pragma GCC unroll; nothing where accesses are checked
#pragma once

#include <string>
#include <string_view>

namespace cpu_device {

enum class RewriteMode {
  kFast,
  // For cucc --check: __shared__ variables get places of their own in memory that the checks know.
  kChecked
};

// The preprocessed source (g++ -E with CPU_DEVICE_PREPROCESSING defined) rewritten.
std::string rewrite(std::string_view source, RewriteMode mode = RewriteMode::kFast);

}  // namespace cpu_device
