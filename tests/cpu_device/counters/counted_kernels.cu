#include <cuda_runtime.h>

#include "counted_kernels.h"

namespace {

__global__ void copy_kernel(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t] = in[t];
}

__global__ void scale_kernel(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t] = 2.0f * in[t];
}

__global__ void copy_alternating_kernel(const float* a, const float* b, float* out) {
  const int t = threadIdx.x;
  const float* const from = t % 2 == 0 ? a : b;
  out[t] = from[t];
}

__global__ void add_atomically_kernel(const int* in, int* out) {
  const int t = threadIdx.x;
  atomicAdd(&out[t], in[t]);
}

__global__ void read_past_the_end_kernel(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t] = in[t + 1];
}

__global__ void copy_dynamic_kernel(const float* in, float* out) {
  __shared__ float fixed[32];
  extern __shared__ float variable[];
  const int t = threadIdx.x;
  fixed[t] = in[t];
  variable[t] = in[31 - t];
  __syncthreads();
  out[t] = fixed[31 - t] + variable[31 - t];
}

// The lower half of the warp executes the load before the barrier, the upper half after it.
__global__ void phases_kernel(const float* in, float* out) {
  const int t = threadIdx.x;
  float sum = 0.0f;
#pragma unroll 1
  for (int phase = 0; phase < 2; ++phase) {
    if (t / 16 == phase) sum += in[t];
    __syncthreads();
  }
  out[t] = sum;
}

__global__ void early_exits_kernel(const float* in, float* out) {
  const int t = threadIdx.x;
  float sum = 0.0f;
#pragma unroll 1
  for (int trip = 0; trip < 32; ++trip) {
    sum += in[trip];
    if (trip == t) break;
  }
  out[t] = sum;
}

// More trips than a thread's log holds, a different number for every lane.
__global__ void long_uneven_trips_kernel(const float* in, float* out) {
  const int t = threadIdx.x;
  float sum = 0.0f;
#pragma unroll 1
  for (int trip = 0; trip < 100 * (t % 4 + 1) + t; ++trip) sum += in[trip % 32];
  out[t] = sum;
}

__global__ void late_lanes_kernel(const float* in, float* out) {
  const int t = threadIdx.x;
  float sum = 0.0f;
  if (t % 2 == 1) sum = in[t];
#pragma unroll 1
  for (int trip = 0; trip < 300; ++trip) sum += in[trip % 32];
  out[t] = sum;
}

}  // namespace

extern "C" const char* counted_kernels_compiler(void) {
#ifdef __clang__
  return __VERSION__;
#else
  return "g++ " __VERSION__;
#endif
}

extern "C" int copy_32(const float* in, float* out) {
  copy_kernel<<<1, 32>>>(in, out);
  return cudaGetLastError();
}

extern "C" int scale_32(const float* in, float* out) {
  scale_kernel<<<1, 32>>>(in, out);
  return cudaGetLastError();
}

extern "C" int copy_alternating(const float* a, const float* b, float* out) {
  copy_alternating_kernel<<<1, 32>>>(a, b, out);
  return cudaGetLastError();
}

extern "C" int add_atomically(const int* in, int* out) {
  add_atomically_kernel<<<1, 32>>>(in, out);
  return cudaGetLastError();
}

extern "C" int read_past_the_end(const float* in, float* out) {
  read_past_the_end_kernel<<<1, 32>>>(in, out);
  return cudaGetLastError();
}

extern "C" int copy_dynamic(const float* in, float* out, unsigned long dynamic) {
  copy_dynamic_kernel<<<1, 32, dynamic>>>(in, out);
  return cudaGetLastError();
}

extern "C" int phases_of_a_barrier(const float* in, float* out) {
  phases_kernel<<<1, 32>>>(in, out);
  return cudaGetLastError();
}

extern "C" int early_exits(const float* in, float* out) {
  early_exits_kernel<<<1, 32>>>(in, out);
  return cudaGetLastError();
}

extern "C" int long_uneven_trips(const float* in, float* out) {
  long_uneven_trips_kernel<<<1, 32>>>(in, out);
  return cudaGetLastError();
}

extern "C" int late_lanes(const float* in, float* out) {
  late_lanes_kernel<<<1, 32>>>(in, out);
  return cudaGetLastError();
}
