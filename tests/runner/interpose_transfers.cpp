// The copies and fills of CUDA: skipped in a dry run, where no address has memory behind it.
#include <cuda_runtime.h>

#include <cstddef>

#include "forward.h"
#include "meter.h"

namespace {

template <typename Next>
cudaError_t transfer(Next next) {
  if (runner::Bypass::active()) return next();
  if (runner::Meter::instance().dry_run()) return cudaSuccess;
  const runner::Bypass inner;
  return next();
}

// What the device does on a stream while the host goes on; cudaMemset() too, on the default stream.
template <typename Next>
cudaError_t queued(cudaStream_t stream, Next next) {
  if (!runner::Bypass::active()) runner::Meter::instance().filling(stream);
  return transfer(next);
}

constexpr std::size_t kSampledBytes = std::size_t{64} << 20;

// Bytes that a transfer leaves out at its start. Where only the last blocks of a launch run, only the end of what
// they work on matters, and the rest of it may be larger than this machine's memory.
std::size_t left_out(std::size_t bytes) {
  if (runner::Bypass::active() || !runner::Meter::instance().sample_blocks()) return 0;
  return bytes > kSampledBytes ? bytes - kSampledBytes : 0;
}

void* behind(void* pointer, std::size_t bytes) { return static_cast<std::byte*>(pointer) + bytes; }
const void* behind(const void* pointer, std::size_t bytes) {
  return static_cast<const std::byte*>(pointer) + bytes;
}

}  // namespace

extern "C" {

cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  const std::size_t skip = left_out(bytes);
  return queued(
      nullptr, [&] { return CALL_NEXT(cudaMemset, behind(to, skip), value, bytes - skip); });
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  const std::size_t skip = left_out(bytes);
  return queued(stream, [&] {
    return CALL_NEXT(cudaMemsetAsync, behind(to, skip), value, bytes - skip, stream);
  });
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const std::size_t skip = left_out(bytes);
  return transfer([&] {
    return CALL_NEXT(cudaMemcpy, behind(to, skip), behind(from, skip), bytes - skip, kind);
  });
}

cudaError_t cudaMemcpyAsync(
    void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const std::size_t skip = left_out(bytes);
  return queued(stream, [&] {
    return CALL_NEXT(
        cudaMemcpyAsync, behind(to, skip), behind(from, skip), bytes - skip, kind, stream);
  });
}

cudaError_t cudaMemcpy2D(
    void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height,
    cudaMemcpyKind kind) {
  return transfer(
      [&] { return CALL_NEXT(cudaMemcpy2D, to, to_pitch, from, from_pitch, width, height, kind); });
}

cudaError_t cudaDeviceSynchronize() {
  if (!runner::Bypass::active()) runner::Meter::instance().device_synced();
  const runner::Bypass inner;
  static void* const next = runner::find_next("cudaDeviceSynchronize");
  return runner::call_next(next);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (!runner::Bypass::active()) runner::Meter::instance().host_waits(stream);
  const runner::Bypass inner;
  return CALL_NEXT(cudaStreamSynchronize, stream);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (!runner::Bypass::active()) runner::Meter::instance().host_waits_for_event();
  const runner::Bypass inner;
  return CALL_NEXT(cudaEventSynchronize, event);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags) {
  if (!runner::Bypass::active()) runner::Meter::instance().stream_waits(stream);
  const runner::Bypass inner;
  return CALL_NEXT(cudaStreamWaitEvent, stream, event, flags);
}

cudaError_t cudaMemset2D(void* to, size_t pitch, int value, size_t width, size_t height) {
  return queued(nullptr, [&] { return CALL_NEXT(cudaMemset2D, to, pitch, value, width, height); });
}

cudaError_t cudaMemcpy2DAsync(
    void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height,
    cudaMemcpyKind kind, cudaStream_t stream) {
  return queued(stream, [&] {
    return CALL_NEXT(
        cudaMemcpy2DAsync, to, to_pitch, from, from_pitch, width, height, kind, stream);
  });
}

#ifndef CPU_DEVICE

cudaError_t cudaMemset2DAsync(
    void* to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream) {
  return queued(stream, [&] {
    return CALL_NEXT(cudaMemset2DAsync, to, pitch, value, width, height, stream);
  });
}

cudaError_t cudaMemset3D(cudaPitchedPtr to, int value, cudaExtent extent) {
  return queued(nullptr, [&] { return CALL_NEXT(cudaMemset3D, to, value, extent); });
}

cudaError_t cudaMemset3DAsync(
    cudaPitchedPtr to, int value, cudaExtent extent, cudaStream_t stream) {
  return queued(stream, [&] { return CALL_NEXT(cudaMemset3DAsync, to, value, extent, stream); });
}

cudaError_t cudaMemcpy3D(const cudaMemcpy3DParms* parameters) {
  return transfer([&] { return CALL_NEXT(cudaMemcpy3D, parameters); });
}

cudaError_t cudaMemcpy3DAsync(const cudaMemcpy3DParms* parameters, cudaStream_t stream) {
  return queued(stream, [&] { return CALL_NEXT(cudaMemcpy3DAsync, parameters, stream); });
}

// The same functions as code that is built with a default stream per thread calls them.

cudaError_t cudaMemset_ptds(void* to, int value, size_t bytes) {
  return queued(cudaStreamPerThread, [&] { return CALL_NEXT(cudaMemset_ptds, to, value, bytes); });
}

cudaError_t cudaMemsetAsync_ptsz(void* to, int value, size_t bytes, cudaStream_t stream) {
  return queued(stream, [&] { return CALL_NEXT(cudaMemsetAsync_ptsz, to, value, bytes, stream); });
}

cudaError_t cudaMemcpy_ptds(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return transfer([&] { return CALL_NEXT(cudaMemcpy_ptds, to, from, bytes, kind); });
}

cudaError_t cudaMemcpyAsync_ptsz(
    void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return queued(
      stream, [&] { return CALL_NEXT(cudaMemcpyAsync_ptsz, to, from, bytes, kind, stream); });
}

cudaError_t cudaStreamWaitEvent_ptsz(cudaStream_t stream, cudaEvent_t event, unsigned int flags) {
  if (!runner::Bypass::active()) runner::Meter::instance().stream_waits(stream);
  const runner::Bypass inner;
  return CALL_NEXT(cudaStreamWaitEvent_ptsz, stream, event, flags);
}

#endif  // CPU_DEVICE

}  // extern "C"
