// What the rewriter makes of a kernel. A definition
//     __global__ void k(float* p, int n) { body }
// becomes one function that is both the host's stub and the kernel, as nvcc's host stub is:
//     __global__ void k(float* p, int n) {
//       if (!cpuDeviceInKernel()) return ::cpu_device::Kernel<(void (*)(float* p, int n))(k)>::stub(p, n);
//       body }
// and a launch k<<<grid, block>>>(p, n) becomes (::cpu_device::configure(grid, block) ? (void)0 : k(p, n)):
// overloads, template deduction, default arguments and conversions are the compiler's own.
#pragma once

#include <stddef.h>

#include <utility>

#include "../cuda_runtime_api.h"

extern "C" {
// True on a thread that is running a kernel.
bool cpuDeviceInKernel(void);
// Keeps the launch configuration until the stub takes it, as nvcc's generated code does.
int cpuDevicePushConfiguration(
    dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, const char* file, int line);
// File and line of the calling thread's last <<<>>>.
const char* cpuDeviceLaunchSite(int* line);
void cpuDevicePopConfiguration(dim3* grid, dim3* block, size_t* shared_bytes, cudaStream_t* stream);
// Makes a kernel known: its address, a function that calls it with the arguments that args points to, and the most
// threads per block that it allows (0: as many as the device).
int cpuDeviceRegisterKernel(const void* func, void (*invoke)(void** args), unsigned max_threads);
// For cucc --check: the place of the __shared__ variable that a key stands for, and of the block's dynamic shared memory.
void* cpuDeviceSharedPlace(const void* key, size_t size, const char* name);
void* cpuDeviceDynamicShared(void);
// constant: 1 for __constant__.
// Names the compiler of a checked program; plain_vectors: it copies float4 and its siblings member by member.
int cpuDeviceRegisterCompiler(const char* name, int is_clang, int plain_vectors);
int cpuDeviceRegisterVariable(const void* address, size_t size, const char* name, int constant);
}

#ifdef CPU_DEVICE_CHECKED
namespace cpu_device {
#ifdef CPU_DEVICE_PLAIN_VECTORS
constexpr int kPlainVectors = 1;
#else
constexpr int kPlainVectors = 0;
#endif
#ifdef __clang__
#define CPU_DEVICE_TEXT_OF(value) #value
#define CPU_DEVICE_TEXT(value) CPU_DEVICE_TEXT_OF(value)
static const int compiler_registered = cpuDeviceRegisterCompiler(
    "clang " CPU_DEVICE_TEXT(__clang_major__) "." CPU_DEVICE_TEXT(__clang_minor__), 1,
    kPlainVectors);
#undef CPU_DEVICE_TEXT
#undef CPU_DEVICE_TEXT_OF
#else
static const int compiler_registered =
    cpuDeviceRegisterCompiler("g++ " __VERSION__, 0, kPlainVectors);
#endif
}  // namespace cpu_device
#endif

// Launch machinery, whose accesses are not the program's: cucc --check leaves it uninstrumented.
#define CPU_DEVICE_UNCHECKED __attribute__((no_sanitize("thread")))

namespace cpu_device {

inline int configure(
    dim3 grid, dim3 block, size_t shared_bytes = 0, cudaStream_t stream = 0,
    const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return cpuDevicePushConfiguration(grid, block, shared_bytes, stream, file, line);
}

#ifdef __clang__
// clang passes a large structure with memcpy, which the checks see. The launch's arguments are the host's, so a thread
// takes a copy to its own stack first, byte by byte.
template <class T>
struct Argument {
  alignas(T) unsigned char bytes[sizeof(T)];
  CPU_DEVICE_UNCHECKED explicit Argument(const void* from) {
    for (size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<const unsigned char*>(from)[i];
  }
  CPU_DEVICE_UNCHECKED T& value() { return *reinterpret_cast<T*>(bytes); }
};
#endif

// F is the kernel's address, MaxThreads the first argument of its __launch_bounds__ (0: it has none).
template <auto F, unsigned MaxThreads = 0>
struct Kernel;

template <class... P, void (*F)(P...), unsigned MaxThreads>
struct Kernel<F, MaxThreads> {
  CPU_DEVICE_UNCHECKED static void stub(P... args) {
    (void)registered;
    dim3 grid, block;
    size_t shared_bytes = 0;
    cudaStream_t stream = nullptr;
    cpuDevicePopConfiguration(&grid, &block, &shared_bytes, &stream);
    void* pointers[] = {
        const_cast<void*>(reinterpret_cast<const volatile void*>(&args))..., nullptr};
    cudaLaunchKernel(reinterpret_cast<const void*>(F), grid, block, pointers, shared_bytes, stream);
  }

 private:
  template <size_t... I>
  CPU_DEVICE_UNCHECKED static void call([[maybe_unused]] void** args, std::index_sequence<I...>) {
#ifdef __clang__
    F(Argument<P>(args[I]).value()...);
#else
    F(*static_cast<P*>(args[I])...);
#endif
  }
  CPU_DEVICE_UNCHECKED static void invoke(void** args) {
    call(args, std::index_sequence_for<P...>{});
  }
  static inline const int registered =
      cpuDeviceRegisterKernel(reinterpret_cast<const void*>(F), &invoke, MaxThreads);
};

}  // namespace cpu_device
