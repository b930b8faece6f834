// The allocation functions of CUDA, counted. In a dry run they hand out addresses without memory behind them.
#include <cuda_runtime.h>

#include <cstdint>

#include "forward.h"
#include "meter.h"

namespace {

using runner::Bypass;
using runner::Meter;

enum class Side { kDevice, kHost };

constexpr std::size_t kPitch = 512;  // bytes, of rows in a dry run

// 2^64 - 1 where the product does not fit, which no allocator can give.
std::size_t product(std::size_t a, std::size_t b) {
  std::size_t result;
  return __builtin_mul_overflow(a, b, &result) ? SIZE_MAX : result;
}

template <typename Next>
cudaError_t allocate(void** pointer, std::size_t bytes, Side side, Next next) {
  if (Bypass::active()) return next();
  Meter& meter = Meter::instance();
  const Bypass inner;
  if (!meter.dry_run()) {
    const cudaError_t error = next();
    if (error == cudaSuccess)
      meter.allocated(*pointer, bytes);
    else
      meter.allocation_failed(bytes);
    return error;
  }
  if (pointer == nullptr) return cudaErrorInvalidValue;
  *pointer = bytes == 0 ? nullptr : meter.reserve(bytes, side == Side::kHost);
  if (bytes > 0 && *pointer == nullptr) {
    meter.allocation_failed(bytes);
    return cudaErrorMemoryAllocation;
  }
  meter.allocated(*pointer, bytes);
  return cudaSuccess;
}

template <typename Next>
cudaError_t release(void* pointer, Next next) {
  if (Bypass::active() || pointer == nullptr) return next();
  const Bypass inner;
  return Meter::instance().freed(pointer) ? cudaSuccess : next();
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  return allocate(
      pointer, bytes, Side::kDevice, [&] { return CALL_NEXT(cudaMalloc, pointer, bytes); });
}

cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t stream) {
  return allocate(pointer, bytes, Side::kDevice, [&] {
    return CALL_NEXT(cudaMallocAsync, pointer, bytes, stream);
  });
}

cudaError_t cudaMallocManaged(void** pointer, size_t bytes, unsigned int flags) {
  return allocate(pointer, bytes, Side::kHost, [&] {
    return CALL_NEXT(cudaMallocManaged, pointer, bytes, flags);
  });
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  return allocate(
      pointer, bytes, Side::kHost, [&] { return CALL_NEXT(cudaMallocHost, pointer, bytes); });
}

cudaError_t cudaMallocPitch(void** pointer, size_t* pitch, size_t width, size_t height) {
  const size_t row = width > SIZE_MAX - kPitch ? SIZE_MAX : (width + kPitch - 1) / kPitch * kPitch;
  if (Meter::instance().dry_run() && !Bypass::active() && pitch != nullptr) *pitch = row;
  return allocate(pointer, product(row, height), Side::kDevice, [&] {
    return CALL_NEXT(cudaMallocPitch, pointer, pitch, width, height);
  });
}

cudaError_t cudaFree(void* pointer) {
  return release(pointer, [&] { return CALL_NEXT(cudaFree, pointer); });
}

cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  return release(pointer, [&] { return CALL_NEXT(cudaFreeAsync, pointer, stream); });
}

cudaError_t cudaFreeHost(void* pointer) {
  return release(pointer, [&] { return CALL_NEXT(cudaFreeHost, pointer); });
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned int flags) {
  return allocate(
      pointer, bytes, Side::kHost, [&] { return CALL_NEXT(cudaHostAlloc, pointer, bytes, flags); });
}

cudaError_t cudaMalloc3D(cudaPitchedPtr* result, cudaExtent extent) {
  const size_t row = (extent.width + kPitch - 1) / kPitch * kPitch;
  if (Meter::instance().dry_run() && !Bypass::active() && result != nullptr) {
    result->pitch = row;
    result->xsize = extent.width;
    result->ysize = extent.height;
  }
  return allocate(
      result == nullptr ? nullptr : &result->ptr,
      product(row, product(extent.height, extent.depth)), Side::kDevice,
      [&] { return CALL_NEXT(cudaMalloc3D, result, extent); });
}

cudaError_t cudaMallocFromPoolAsync(
    void** pointer, size_t bytes, cudaMemPool_t pool, cudaStream_t stream) {
  return allocate(pointer, bytes, Side::kDevice, [&] {
    return CALL_NEXT(cudaMallocFromPoolAsync, pointer, bytes, pool, stream);
  });
}

#ifndef CPU_DEVICE

// The same functions as code that is built with a default stream per thread calls them.

cudaError_t cudaMallocAsync_ptsz(void** pointer, size_t bytes, cudaStream_t stream) {
  return allocate(pointer, bytes, Side::kDevice, [&] {
    return CALL_NEXT(cudaMallocAsync_ptsz, pointer, bytes, stream);
  });
}

cudaError_t cudaMallocFromPoolAsync_ptsz(
    void** pointer, size_t bytes, cudaMemPool_t pool, cudaStream_t stream) {
  return allocate(pointer, bytes, Side::kDevice, [&] {
    return CALL_NEXT(cudaMallocFromPoolAsync_ptsz, pointer, bytes, pool, stream);
  });
}

cudaError_t cudaFreeAsync_ptsz(void* pointer, cudaStream_t stream) {
  return release(pointer, [&] { return CALL_NEXT(cudaFreeAsync_ptsz, pointer, stream); });
}

// nvcc registers every __device__ and __constant__ variable when the library is loaded.
void __cudaRegisterVar(
    void** handle, char* host, char* address, const char* name, int ext, size_t bytes, int constant,
    int global) {
  Meter::instance().static_variable(bytes);
  using Next = void (*)(void**, char*, char*, const char*, int, size_t, int, int);
  static const Next next = reinterpret_cast<Next>(runner::find_next("__cudaRegisterVar"));
  next(handle, host, address, name, ext, bytes, constant, global);
}

void __cudaRegisterManagedVar(
    void** handle, void** host, char* address, const char* name, int ext, size_t bytes,
    int constant, int global) {
  Meter::instance().static_variable(bytes);
  using Next = void (*)(void**, void**, char*, const char*, int, size_t, int, int);
  static const Next next = reinterpret_cast<Next>(runner::find_next("__cudaRegisterManagedVar"));
  next(handle, host, address, name, ext, bytes, constant, global);
}

#endif  // CPU_DEVICE

}  // extern "C"
