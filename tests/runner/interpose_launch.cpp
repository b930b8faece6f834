// The kernel launches of CUDA: counted, skipped in a dry run, cut down to their last blocks when sampling.
#include <cuda_runtime.h>

#include <cstdint>

#include "device.h"
#include "forward.h"
#include "meter.h"

namespace {

constexpr std::uint64_t kFewestBlocks = 1024;  // a smaller launch is not sampled
constexpr std::uint64_t kSampledBlocks = 4;

template <typename Next>
cudaError_t launch(dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream, Next next) {
  if (runner::Bypass::active()) return next();
  runner::Meter& meter = runner::Meter::instance();
  const std::uint64_t blocks = std::uint64_t{grid.x} * grid.y * grid.z;
  meter.launching({{grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared}, stream);
  const runner::Bypass inner;
  if (meter.dry_run()) return cudaSuccess;
  if (meter.sample_blocks()) {
    const bool enough = blocks >= kFewestBlocks;
    meter.sampled(enough ? blocks - kSampledBlocks : 0, enough ? kSampledBlocks : 0);
    if (!enough) return cudaSuccess;
    runner::device_sample_blocks(blocks - kSampledBlocks, kSampledBlocks);
  }
  const cudaError_t error = next();
  if (error != cudaSuccess) meter.launched(error);
  return error;
}

}  // namespace

extern "C" {

cudaError_t cudaLaunchKernel(
    const void* kernel, dim3 grid, dim3 block, void** args, size_t shared, cudaStream_t stream) {
  return launch(grid, block, shared, stream, [&] {
    return CALL_NEXT(cudaLaunchKernel, kernel, grid, block, args, shared, stream);
  });
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* kernel, void** args) {
  if (config == nullptr) return cudaErrorInvalidValue;
  return launch(config->gridDim, config->blockDim, config->dynamicSmemBytes, config->stream, [&] {
    return CALL_NEXT(cudaLaunchKernelExC, config, kernel, args);
  });
}

#ifndef CPU_DEVICE

cudaError_t cudaLaunchCooperativeKernel(
    const void* kernel, dim3 grid, dim3 block, void** args, size_t shared, cudaStream_t stream) {
  return launch(grid, block, shared, stream, [&] {
    return CALL_NEXT(cudaLaunchCooperativeKernel, kernel, grid, block, args, shared, stream);
  });
}

cudaError_t cudaLaunchKernel_ptsz(
    const void* kernel, dim3 grid, dim3 block, void** args, size_t shared, cudaStream_t stream) {
  return launch(grid, block, shared, stream, [&] {
    return CALL_NEXT(cudaLaunchKernel_ptsz, kernel, grid, block, args, shared, stream);
  });
}

cudaError_t cudaLaunchKernelExC_ptsz(
    const cudaLaunchConfig_t* config, const void* kernel, void** args) {
  if (config == nullptr) return cudaErrorInvalidValue;
  return launch(config->gridDim, config->blockDim, config->dynamicSmemBytes, config->stream, [&] {
    return CALL_NEXT(cudaLaunchKernelExC_ptsz, config, kernel, args);
  });
}

// What nvcc of CUDA 13 and newer turns <<<>>> into. A kernel handle is a pointer.

cudaError_t __cudaLaunchKernel(
    cudaKernel_t kernel, dim3 grid, dim3 block, void** args, size_t shared, cudaStream_t stream) {
  return launch(grid, block, shared, stream, [&] {
    return CALL_NEXT(__cudaLaunchKernel, kernel, grid, block, args, shared, stream);
  });
}

cudaError_t __cudaLaunchKernel_ptsz(
    cudaKernel_t kernel, dim3 grid, dim3 block, void** args, size_t shared, cudaStream_t stream) {
  return launch(grid, block, shared, stream, [&] {
    return CALL_NEXT(__cudaLaunchKernel_ptsz, kernel, grid, block, args, shared, stream);
  });
}

#endif  // CPU_DEVICE

}  // extern "C"
