// The typed C++ forms of the runtime API, as CUDA's own header has them.
#pragma once

#include "../cuda_runtime_api.h"
#include "kernel.h"

template <class T>
inline cudaError_t cudaMalloc(T** ptr, size_t size) {
  return ::cudaMalloc(reinterpret_cast<void**>(ptr), size);
}
template <class T>
inline cudaError_t cudaMallocAsync(T** ptr, size_t size, cudaStream_t stream) {
  return ::cudaMallocAsync(reinterpret_cast<void**>(ptr), size, stream);
}
template <class T>
inline cudaError_t cudaMallocFromPoolAsync(
    T** ptr, size_t size, cudaMemPool_t pool, cudaStream_t stream) {
  return ::cudaMallocFromPoolAsync(reinterpret_cast<void**>(ptr), size, pool, stream);
}
template <class T>
inline cudaError_t cudaMallocManaged(
    T** ptr, size_t size, unsigned int flags = cudaMemAttachGlobal) {
  return ::cudaMallocManaged(reinterpret_cast<void**>(ptr), size, flags);
}
template <class T>
inline cudaError_t cudaMallocHost(T** ptr, size_t size, unsigned int = cudaHostAllocDefault) {
  return ::cudaMallocHost(reinterpret_cast<void**>(ptr), size);
}
template <class T>
inline cudaError_t cudaHostAlloc(T** ptr, size_t size, unsigned int flags) {
  return ::cudaHostAlloc(reinterpret_cast<void**>(ptr), size, flags);
}
template <class T>
inline cudaError_t cudaHostGetDevicePointer(T** device_ptr, void* host_ptr, unsigned int flags) {
  return ::cudaHostGetDevicePointer(reinterpret_cast<void**>(device_ptr), host_ptr, flags);
}
template <class T>
inline cudaError_t cudaMallocPitch(T** ptr, size_t* pitch, size_t width, size_t height) {
  return ::cudaMallocPitch(reinterpret_cast<void**>(ptr), pitch, width, height);
}

template <class T>
inline cudaError_t cudaMemcpyToSymbol(
    const T& symbol, const void* src, size_t size, size_t offset = 0,
    cudaMemcpyKind kind = cudaMemcpyHostToDevice) {
  return ::cudaMemcpyToSymbol(static_cast<const void*>(&symbol), src, size, offset, kind);
}
template <class T>
inline cudaError_t cudaMemcpyFromSymbol(
    void* dst, const T& symbol, size_t size, size_t offset = 0,
    cudaMemcpyKind kind = cudaMemcpyDeviceToHost) {
  return ::cudaMemcpyFromSymbol(dst, static_cast<const void*>(&symbol), size, offset, kind);
}
template <class T>
inline cudaError_t cudaMemcpyToSymbolAsync(
    const T& symbol, const void* src, size_t size, size_t offset = 0,
    cudaMemcpyKind kind = cudaMemcpyHostToDevice, cudaStream_t stream = 0) {
  return ::cudaMemcpyToSymbolAsync(
      static_cast<const void*>(&symbol), src, size, offset, kind, stream);
}
template <class T>
inline cudaError_t cudaMemcpyFromSymbolAsync(
    void* dst, const T& symbol, size_t size, size_t offset = 0,
    cudaMemcpyKind kind = cudaMemcpyDeviceToHost, cudaStream_t stream = 0) {
  return ::cudaMemcpyFromSymbolAsync(
      dst, static_cast<const void*>(&symbol), size, offset, kind, stream);
}
template <class T>
inline cudaError_t cudaGetSymbolAddress(void** ptr, const T& symbol) {
  return ::cudaGetSymbolAddress(ptr, static_cast<const void*>(&symbol));
}
template <class T>
inline cudaError_t cudaGetSymbolSize(size_t* size, const T& symbol) {
  return ::cudaGetSymbolSize(size, static_cast<const void*>(&symbol));
}

inline cudaError_t cudaEventCreate(cudaEvent_t* event, unsigned int flags = cudaEventDefault) {
  return ::cudaEventCreateWithFlags(event, flags);
}

template <class T>
inline cudaError_t cudaLaunchKernel(
    T* func, dim3 grid, dim3 block, void** args, size_t shared_bytes = 0, cudaStream_t stream = 0) {
  return ::cudaLaunchKernel(
      reinterpret_cast<const void*>(func), grid, block, args, shared_bytes, stream);
}
template <class... P, class... A>
inline cudaError_t cudaLaunchKernelEx(
    const cudaLaunchConfig_t* config, void (*kernel)(P...), A&&... arguments) {
  // The parameter types decide, as in a call: each argument is converted, then its address is passed on.
  return [&](P... converted) {
    void* pointers[] = {
        const_cast<void*>(reinterpret_cast<const volatile void*>(&converted))..., nullptr};
    return ::cudaLaunchKernelExC(config, reinterpret_cast<const void*>(kernel), pointers);
  }(static_cast<A&&>(arguments)...);
}
template <class T>
inline cudaError_t cudaFuncSetAttribute(T* func, cudaFuncAttribute attr, int value) {
  return ::cudaFuncSetAttribute(reinterpret_cast<const void*>(func), attr, value);
}
template <class T>
inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attr, T* func) {
  return ::cudaFuncGetAttributes(attr, reinterpret_cast<const void*>(func));
}
template <class T>
inline cudaError_t cudaFuncSetCacheConfig(T* func, cudaFuncCache config) {
  return ::cudaFuncSetCacheConfig(reinterpret_cast<const void*>(func), config);
}
template <class T>
inline cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(
    int* num_blocks, T* func, int block_size, size_t dynamic_shared_bytes) {
  return ::cudaOccupancyMaxActiveBlocksPerMultiprocessor(
      num_blocks, reinterpret_cast<const void*>(func), block_size, dynamic_shared_bytes);
}

// The block size with the most resident threads per multiprocessor, and the grid that fills the device with it.
template <class T>
inline cudaError_t cudaOccupancyMaxPotentialBlockSize(
    int* min_grid_size, int* block_size, T func, size_t dynamic_shared_bytes = 0,
    int block_size_limit = 0) {
  int multiprocessors = 0;
  cudaError_t error = ::cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0);
  int largest = 1024;
  if (block_size_limit > 0 && block_size_limit < largest) largest = block_size_limit;
  int best_threads = 0;
  *min_grid_size = 0;
  *block_size = 0;
  for (int size = largest; size > 0 && error == cudaSuccess; size -= size > 32 ? 32 : size) {
    int blocks = 0;
    error = ::cudaOccupancyMaxActiveBlocksPerMultiprocessor(
        &blocks, reinterpret_cast<const void*>(func), size, dynamic_shared_bytes);
    if (blocks * size > best_threads) {
      best_threads = blocks * size;
      *block_size = size;
      *min_grid_size = blocks * multiprocessors;
    }
  }
  return error;
}
