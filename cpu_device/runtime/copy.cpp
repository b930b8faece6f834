// cudaMemcpy, cudaMemset and their relatives, with the argument checks that CUDA makes.
#include <stdint.h>
#include <string.h>

#include "checker.h"
#include "cuda_runtime_api.h"
#include "errors.h"
#include "memory.h"
#include "registry.h"

namespace cpu_device {
namespace {

enum class Side { kDevice, kHost, kEither, kBad };

// Which side an address range belongs to; a range that leaves its allocation is bad.
Side side_of(const void* ptr, size_t size) {
  if (const auto allocation = find_allocation(ptr)) {
    const size_t offset = reinterpret_cast<uintptr_t>(ptr) - allocation->begin;
    if (size > allocation->size - offset) return Side::kBad;
    return allocation->kind == MemoryKind::kDevice ? Side::kDevice : Side::kEither;
  }
  if (in_device_range(reinterpret_cast<uintptr_t>(ptr))) return Side::kBad;
  if (const DeviceVariable* variable = find_variable(ptr)) {
    const size_t offset = reinterpret_cast<uintptr_t>(ptr) - variable->begin;
    return size > variable->size - offset ? Side::kBad : Side::kDevice;
  }
  return ptr == nullptr ? Side::kBad : Side::kHost;
}

bool is(Side side, Side wanted) { return side == wanted || side == Side::kEither; }

cudaError_t check(
    const void* dst, const void* src, size_t dst_size, size_t src_size, cudaMemcpyKind kind) {
  const Side to = side_of(dst, dst_size);
  const Side from = side_of(src, src_size);
  if (to == Side::kBad || from == Side::kBad) return cudaErrorInvalidValue;
  switch (kind) {
    case cudaMemcpyHostToHost:
      return is(to, Side::kHost) && is(from, Side::kHost) ? cudaSuccess : cudaErrorInvalidValue;
    case cudaMemcpyHostToDevice:
      return is(to, Side::kDevice) && is(from, Side::kHost) ? cudaSuccess : cudaErrorInvalidValue;
    case cudaMemcpyDeviceToHost:
      return is(to, Side::kHost) && is(from, Side::kDevice) ? cudaSuccess : cudaErrorInvalidValue;
    case cudaMemcpyDeviceToDevice:
      return is(to, Side::kDevice) && is(from, Side::kDevice) ? cudaSuccess : cudaErrorInvalidValue;
    case cudaMemcpyDefault:
      return cudaSuccess;
  }
  return cudaErrorInvalidMemcpyDirection;
}

// Memory that the host has filled holds values: for the checked mode.
void note_written(const void* ptr, size_t size) {
  if (Checker::enabled()) {
    Checker::instance().written_by_host(reinterpret_cast<uintptr_t>(ptr), size);
  }
}

cudaError_t copy(void* dst, const void* src, size_t size, cudaMemcpyKind kind) {
  if (const cudaError_t error = sticky_error()) return error;
  if (size == 0) return cudaSuccess;
  if (const cudaError_t error = check(dst, src, size, size, kind)) return error;
  memmove(dst, src, size);
  note_written(dst, size);
  return cudaSuccess;
}

cudaError_t copy_2d(
    void* dst, size_t dpitch, const void* src, size_t spitch, size_t width, size_t height,
    cudaMemcpyKind kind) {
  if (const cudaError_t error = sticky_error()) return error;
  if (width > dpitch || width > spitch) return cudaErrorInvalidPitchValue;
  if (width == 0 || height == 0) return cudaSuccess;
  const cudaError_t error =
      check(dst, src, dpitch * (height - 1) + width, spitch * (height - 1) + width, kind);
  if (error != cudaSuccess) return error;
  for (size_t row = 0; row < height; ++row) {
    memmove(
        static_cast<char*>(dst) + row * dpitch, static_cast<const char*>(src) + row * spitch,
        width);
    note_written(static_cast<char*>(dst) + row * dpitch, width);
  }
  return cudaSuccess;
}

cudaError_t set_2d(void* ptr, size_t pitch, int value, size_t width, size_t height) {
  if (const cudaError_t error = sticky_error()) return error;
  if (width == 0 || height == 0) return cudaSuccess;
  if (width > pitch) return cudaErrorInvalidPitchValue;
  const Side side = side_of(ptr, pitch * (height - 1) + width);
  if (!is(side, Side::kDevice)) return cudaErrorInvalidValue;
  for (size_t row = 0; row < height; ++row) {
    memset(static_cast<char*>(ptr) + row * pitch, value, width);
    note_written(static_cast<char*>(ptr) + row * pitch, width);
  }
  return cudaSuccess;
}

// Address of a symbol plus an offset, or null when the range leaves the variable.
void* in_symbol(const void* symbol, size_t size, size_t offset, cudaError_t* error) {
  const DeviceVariable* variable = find_variable(symbol);
  if (variable == nullptr) {
    *error = cudaErrorInvalidSymbol;
    return nullptr;
  }
  if (offset > variable->size || size > variable->size - offset) {
    *error = cudaErrorInvalidValue;
    return nullptr;
  }
  *error = cudaSuccess;
  return reinterpret_cast<void*>(variable->begin + offset);
}

cudaError_t copy_to_symbol(
    const void* symbol, const void* src, size_t size, size_t offset, cudaMemcpyKind kind) {
  if (kind != cudaMemcpyHostToDevice && kind != cudaMemcpyDeviceToDevice &&
      kind != cudaMemcpyDefault) {
    return cudaErrorInvalidMemcpyDirection;
  }
  cudaError_t error;
  void* const dst = in_symbol(symbol, size, offset, &error);
  return error != cudaSuccess ? error : copy(dst, src, size, kind);
}

cudaError_t copy_from_symbol(
    void* dst, const void* symbol, size_t size, size_t offset, cudaMemcpyKind kind) {
  if (kind != cudaMemcpyDeviceToHost && kind != cudaMemcpyDeviceToDevice &&
      kind != cudaMemcpyDefault) {
    return cudaErrorInvalidMemcpyDirection;
  }
  cudaError_t error;
  const void* const src = in_symbol(symbol, size, offset, &error);
  return error != cudaSuccess ? error : copy(dst, src, size, kind);
}

}  // namespace
}  // namespace cpu_device

using cpu_device::report;

extern "C" {

cudaError_t cudaMemcpy(void* dst, const void* src, size_t size, enum cudaMemcpyKind kind) {
  return report(cpu_device::copy(dst, src, size, kind));
}
cudaError_t cudaMemcpyAsync(
    void* dst, const void* src, size_t size, enum cudaMemcpyKind kind, cudaStream_t) {
  return report(cpu_device::copy(dst, src, size, kind));
}
cudaError_t cudaMemcpy2D(
    void* dst, size_t dpitch, const void* src, size_t spitch, size_t width, size_t height,
    enum cudaMemcpyKind kind) {
  return report(cpu_device::copy_2d(dst, dpitch, src, spitch, width, height, kind));
}
cudaError_t cudaMemcpy2DAsync(
    void* dst, size_t dpitch, const void* src, size_t spitch, size_t width, size_t height,
    enum cudaMemcpyKind kind, cudaStream_t) {
  return report(cpu_device::copy_2d(dst, dpitch, src, spitch, width, height, kind));
}
cudaError_t cudaMemset(void* ptr, int value, size_t size) {
  return report(cpu_device::set_2d(ptr, size, value, size, 1));
}
cudaError_t cudaMemsetAsync(void* ptr, int value, size_t size, cudaStream_t) {
  return report(cpu_device::set_2d(ptr, size, value, size, 1));
}
cudaError_t cudaMemset2D(void* ptr, size_t pitch, int value, size_t width, size_t height) {
  return report(cpu_device::set_2d(ptr, pitch, value, width, height));
}
cudaError_t cudaMemcpyToSymbol(
    const void* symbol, const void* src, size_t size, size_t offset, enum cudaMemcpyKind kind) {
  return report(cpu_device::copy_to_symbol(symbol, src, size, offset, kind));
}
cudaError_t cudaMemcpyFromSymbol(
    void* dst, const void* symbol, size_t size, size_t offset, enum cudaMemcpyKind kind) {
  return report(cpu_device::copy_from_symbol(dst, symbol, size, offset, kind));
}
cudaError_t cudaMemcpyToSymbolAsync(
    const void* symbol, const void* src, size_t size, size_t offset, enum cudaMemcpyKind kind,
    cudaStream_t) {
  return report(cpu_device::copy_to_symbol(symbol, src, size, offset, kind));
}
cudaError_t cudaMemcpyFromSymbolAsync(
    void* dst, const void* symbol, size_t size, size_t offset, enum cudaMemcpyKind kind,
    cudaStream_t) {
  return report(cpu_device::copy_from_symbol(dst, symbol, size, offset, kind));
}
cudaError_t cudaGetSymbolAddress(void** ptr, const void* symbol) {
  if (ptr == nullptr) return report(cudaErrorInvalidValue);
  cudaError_t error;
  *ptr = cpu_device::in_symbol(symbol, 0, 0, &error);
  return report(error);
}
cudaError_t cudaGetSymbolSize(size_t* size, const void* symbol) {
  const cpu_device::DeviceVariable* variable = cpu_device::find_variable(symbol);
  if (size == nullptr) return report(cudaErrorInvalidValue);
  if (variable == nullptr) return report(cudaErrorInvalidSymbol);
  *size = variable->size;
  return report(cudaSuccess);
}

}  // extern "C"
