// Fills device memory with normally distributed numbers, the same on every device.
//
// Built like a lesson's file, with the compiler and the flags of the grader, and loaded by scripts/bench.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace {

constexpr int kThreads = 256;
constexpr int kMostBlocks = 4096;

// Number n of the sequence that judge::Random(seed).bits() gives: SplitMix64's state is a counter, so that any thread
// can start anywhere.
__device__ uint64_t bits(uint64_t seed, uint64_t n) {
  uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// Element i is number i of judge::Random(seed).normal(): twelve 16-bit uniforms, added as integers.
__global__ void fill_kernel(float* out, uint64_t count, uint64_t seed) {
  const uint64_t step = uint64_t{gridDim.x} * blockDim.x;
  for (uint64_t i = uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    int64_t sum = 0;
    for (int draw = 0; draw < 3; ++draw) {
      uint64_t word = bits(seed, 3 * i + draw);
      for (int part = 0; part < 4; ++part, word >>= 16) sum += static_cast<int64_t>(word & 0xffff);
    }
    out[i] = static_cast<float>(sum - 6 * 65535) * 0x1p-16f;
  }
}

}  // namespace

extern "C" cudaError_t fill_normal(float* out, size_t count, uint64_t seed, cudaStream_t stream) {
  if (count == 0) return cudaSuccess;
  const size_t blocks = std::min<size_t>((count + kThreads - 1) / kThreads, kMostBlocks);
  fill_kernel<<<blocks, kThreads, 0, stream>>>(out, count, seed);
  return cudaGetLastError();
}

// Allocates and frees as a launcher does, for whoever wants to see whether that is counted.
extern "C" cudaError_t allocate_and_free(size_t bytes, cudaStream_t stream) {
  void* scratch = nullptr;
  const cudaError_t status = cudaMallocAsync(&scratch, bytes, stream);
  return status != cudaSuccess ? status : cudaFreeAsync(scratch, stream);
}
