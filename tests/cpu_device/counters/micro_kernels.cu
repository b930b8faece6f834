// Kernels that each make one pattern of accesses. Both compilers, nvcc and the one behind cucc, make
// exactly the accesses that the source shows: every value is used, no two neighbouring loads belong
// to one thread, and a barrier stands between a shared store and the load that reads it back. Atomics
// are the exception: nvcc adds up a warp's values for one address first, and makes a loop of the shared
// float add.
//
// All but the lesson's have the signature (in, out): 16,384 floats each. in[i] is a whole number from
// 0 to 4,095 that looks random; out starts as zeros. t is the thread, one block of 32 unless the
// table at the end says otherwise.
#include <cuda_runtime.h>

#include <cstring>
#include <vector>

#include "../../../solutions/01_naive.cu"
#include "micro_kernels.h"

namespace {

constexpr int kFloats = 16384;  // in each of in and out
constexpr unsigned kFullWarp = 0xffffffffu;

struct Packet {
  int4 words;
};

__device__ const float4* as_float4(const float* p) { return reinterpret_cast<const float4*>(p); }
__device__ float4* as_float4(float* p) { return reinterpret_cast<float4*>(p); }
__device__ const float2* as_float2(const float* p) { return reinterpret_cast<const float2*>(p); }
__device__ float2* as_float2(float* p) { return reinterpret_cast<float2*>(p); }
__device__ const int* as_int(const float* p) { return reinterpret_cast<const int*>(p); }
__device__ int* as_int(float* p) { return reinterpret_cast<int*>(p); }

// Words in[0 .. count) to shared memory, 4 bytes per thread without conflicts.
__device__ void fill(float* tile, int count, const float* in) {
#pragma unroll 1
  for (int i = threadIdx.x; i < count; i += blockDim.x) tile[i] = in[i];
  __syncthreads();
}

// ---- Global memory, 4 bytes per thread. ----

__global__ void global_coalesced(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t] = in[t];
}

__global__ void global_offset_1(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t + 1] = in[t + 1];
}

__global__ void global_offset_2(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t + 2] = in[t + 2];
}

__global__ void global_offset_4(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t + 4] = in[t + 4];
}

__global__ void global_offset_8(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t + 8] = in[t + 8];
}

__global__ void global_stride_2(const float* in, float* out) {
  const int t = threadIdx.x;
  out[2 * t] = in[2 * t];
}

__global__ void global_stride_4(const float* in, float* out) {
  const int t = threadIdx.x;
  out[4 * t] = in[4 * t];
}

__global__ void global_stride_8(const float* in, float* out) {
  const int t = threadIdx.x;
  out[8 * t] = in[8 * t];
}

__global__ void global_stride_16(const float* in, float* out) {
  const int t = threadIdx.x;
  out[16 * t] = in[16 * t];
}

__global__ void global_stride_32(const float* in, float* out) {
  const int t = threadIdx.x;
  out[32 * t] = in[32 * t];
}

__global__ void global_broadcast(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t] = in[7];
}

__global__ void global_half_warp_broadcast(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t] = in[t / 16 * 64];
}

__global__ void global_reversed(const float* in, float* out) {
  const int t = threadIdx.x;
  out[31 - t] = in[31 - t];
}

__global__ void global_permuted(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t * 7 % 32] = in[t * 5 % 32];
}

__global__ void global_random_gather(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t] = in[static_cast<int>(in[t])];
}

__global__ void global_every_third_lane(const float* in, float* out) {
  const int t = threadIdx.x;
  if (t % 3 == 0) out[t] = in[t];
}

__global__ void global_one_thread(const float* in, float* out) {
  const int t = threadIdx.x;
  if (t == 9) out[t] = in[t];
}

__global__ void global_returned_lanes(const float* in, float* out) {
  const int t = threadIdx.x;
  if (t >= 20) return;
  out[t] = in[t];
}

__global__ void global_48_threads(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t] = in[t];
}

// 16 x 4 threads: a warp covers two rows of 64 floats.
__global__ void global_block_2d(const float* in, float* out) {
  const int i = threadIdx.y * 64 + threadIdx.x;
  out[i] = in[i];
}

// 12 x 5 threads: a warp covers two rows and two thirds of the next; the second has 28 lanes.
__global__ void global_block_2d_ragged(const float* in, float* out) {
  const int i = threadIdx.y * 32 + threadIdx.x;
  out[i] = in[i];
}

// 4 blocks of 64 threads.
__global__ void global_four_blocks(const float* in, float* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = in[i];
}

// Column sums of 8 rows of 32.
__global__ void global_columns(const float* in, float* out) {
  const int t = threadIdx.x;
  float sum = 0.0f;
#pragma unroll 1
  for (int row = 0; row < 8; ++row) sum += in[row * 32 + t];
  out[t] = sum;
}

// Row sums of 32 rows of 8: one thread per row.
__global__ void global_rows(const float* in, float* out) {
  const int t = threadIdx.x;
  float sum = 0.0f;
#pragma unroll 1
  for (int column = 0; column < 8; ++column) sum += in[t * 8 + column];
  out[t] = sum;
}

// Lane t makes t % 4 + 1 trips.
__global__ void global_uneven_trips(const float* in, float* out) {
  const int t = threadIdx.x;
  float sum = 0.0f;
#pragma unroll 1
  for (int row = 0; row <= t % 4; ++row) sum += in[row * 32 + t];
  out[t] = sum;
}

// ---- Global memory, other widths. ----

__global__ void global_float2(const float* in, float* out) {
  const int t = threadIdx.x;
  as_float2(out)[t] = as_float2(in)[t];
}

__global__ void global_float2_stride_2(const float* in, float* out) {
  const int t = threadIdx.x;
  as_float2(out)[2 * t] = as_float2(in)[2 * t];
}

__global__ void global_float3_by_member(const float* in, float* out) {
  const int t = threadIdx.x;
  const float3* const points = reinterpret_cast<const float3*>(in);
  out[t] = points[t].x + points[t].y * points[t].z;
}

__global__ void global_float4(const float* in, float* out) {
  const int t = threadIdx.x;
  as_float4(out)[t] = as_float4(in)[t];
}

__global__ void global_float4_offset_1(const float* in, float* out) {
  const int t = threadIdx.x;
  as_float4(out)[t + 1] = as_float4(in)[t + 1];
}

__global__ void global_float4_reversed(const float* in, float* out) {
  const int t = threadIdx.x;
  as_float4(out)[31 - t] = as_float4(in)[31 - t];
}

__global__ void global_float4_uniform(const float* in, float* out) {
  const int t = threadIdx.x;
  as_float4(out)[t] = as_float4(in)[3];
}

__global__ void global_float4_one_thread(const float* in, float* out) {
  const int t = threadIdx.x;
  if (t == 9) as_float4(out)[t] = as_float4(in)[t];
}

__global__ void global_float4_48_threads(const float* in, float* out) {
  const int t = threadIdx.x;
  as_float4(out)[t] = as_float4(in)[t];
}

// One thread per row of 64 floats.
__global__ void global_float4_rows(const float* in, float* out) {
  const int t = threadIdx.x;
  as_float4(out)[16 * t] = as_float4(in)[16 * t];
}

__global__ void global_double(const float* in, float* out) {
  const int t = threadIdx.x;
  reinterpret_cast<double*>(out)[t] = reinterpret_cast<const double*>(in)[t];
}

__global__ void global_double2(const float* in, float* out) {
  const int t = threadIdx.x;
  reinterpret_cast<double2*>(out)[t] = reinterpret_cast<const double2*>(in)[t];
}

__global__ void global_char(const float* in, float* out) {
  const int t = threadIdx.x;
  reinterpret_cast<char*>(out)[t] = reinterpret_cast<const char*>(in)[t];
}

__global__ void global_short(const float* in, float* out) {
  const int t = threadIdx.x;
  reinterpret_cast<short*>(out)[t] = reinterpret_cast<const short*>(in)[t];
}

__global__ void global_int4_in_struct(const float* in, float* out) {
  const int t = threadIdx.x;
  reinterpret_cast<Packet*>(out)[t] = reinterpret_cast<const Packet*>(in)[t];
}

// ---- Global atomics. ----

__global__ void global_atomic_distinct(const float* in, float* out) {
  const int t = threadIdx.x;
  atomicAdd(&as_int(out)[t], as_int(in)[t]);
}

__global__ void global_atomic_uniform(const float* in, float* out) {
  const int t = threadIdx.x;
  atomicAdd(&as_int(out)[0], as_int(in)[t]);
}

__global__ void global_atomic_float_uniform(const float* in, float* out) {
  const int t = threadIdx.x;
  atomicAdd(&out[0], in[t]);
}

__global__ void global_atomic_stride_8(const float* in, float* out) {
  const int t = threadIdx.x;
  atomicAdd(&as_int(out)[8 * t], as_int(in)[t]);
}

__global__ void global_atomic_returned(const float* in, float* out) {
  const int t = threadIdx.x;
  as_int(out)[32 + t] = atomicAdd(&as_int(out)[t], as_int(in)[t]);
}

// 2 blocks of 128 threads, 4 numbers per thread, 32 bins.
__global__ void global_histogram(const float* in, float* out) {
  const int first = blockIdx.x * blockDim.x + threadIdx.x;
#pragma unroll 1
  for (int i = first; i < 1024; i += gridDim.x * blockDim.x)
    atomicAdd(&as_int(out)[static_cast<int>(in[i]) % 32], 1);
}

// ---- Shared memory: a store, a barrier, the same pattern loaded by the mirrored lane. ----

__global__ void shared_consecutive(const float* in, float* out) {
  __shared__ float tile[32];
  const int t = threadIdx.x;
  tile[t] = in[t];
  __syncthreads();
  out[t] = tile[31 - t];
}

__global__ void shared_stride_2(const float* in, float* out) {
  __shared__ float tile[2 * 32];
  const int t = threadIdx.x;
  tile[2 * t] = in[t];
  __syncthreads();
  out[t] = tile[2 * (31 - t)];
}

__global__ void shared_stride_4(const float* in, float* out) {
  __shared__ float tile[4 * 32];
  const int t = threadIdx.x;
  tile[4 * t] = in[t];
  __syncthreads();
  out[t] = tile[4 * (31 - t)];
}

__global__ void shared_stride_8(const float* in, float* out) {
  __shared__ float tile[8 * 32];
  const int t = threadIdx.x;
  tile[8 * t] = in[t];
  __syncthreads();
  out[t] = tile[8 * (31 - t)];
}

__global__ void shared_stride_16(const float* in, float* out) {
  __shared__ float tile[16 * 32];
  const int t = threadIdx.x;
  tile[16 * t] = in[t];
  __syncthreads();
  out[t] = tile[16 * (31 - t)];
}

__global__ void shared_stride_32(const float* in, float* out) {
  __shared__ float tile[32 * 32];
  const int t = threadIdx.x;
  tile[32 * t] = in[t];
  __syncthreads();
  out[t] = tile[32 * (31 - t)];
}

__global__ void shared_stride_33(const float* in, float* out) {
  __shared__ float tile[33 * 32];
  const int t = threadIdx.x;
  tile[33 * t] = in[t];
  __syncthreads();
  out[t] = tile[33 * (31 - t)];
}

__global__ void shared_permuted(const float* in, float* out) {
  __shared__ float tile[32];
  const int t = threadIdx.x;
  tile[t * 7 % 32] = in[t];
  __syncthreads();
  out[t] = tile[t * 5 % 32];
}

// Every third lane, 16 words apart: 11 lanes on two banks.
__global__ void shared_every_third_lane(const float* in, float* out) {
  __shared__ float tile[16 * 32];
  const int t = threadIdx.x;
  if (t % 3 == 0) tile[16 * t] = in[t];
  __syncthreads();
  if (t % 3 == 0) out[t] = tile[16 * t];
}

__global__ void shared_one_thread(const float* in, float* out) {
  __shared__ float tile[32];
  const int t = threadIdx.x;
  if (t == 9) tile[t] = in[t];
  __syncthreads();
  if (t == 9) out[t] = tile[t];
}

__global__ void shared_48_threads(const float* in, float* out) {
  __shared__ float tile[48];
  const int t = threadIdx.x;
  tile[t] = in[t];
  __syncthreads();
  out[t] = tile[47 - t];
}

__global__ void shared_dynamic(const float* in, float* out) {
  extern __shared__ float dynamic_tile[];
  const int t = threadIdx.x;
  dynamic_tile[2 * t] = in[t];
  __syncthreads();
  out[t] = dynamic_tile[2 * (31 - t)];
}

// Lane t makes t % 4 + 1 trips; a trip's words lie 2 apart.
__global__ void shared_uneven_trips(const float* in, float* out) {
  __shared__ float tile[4 * 64];
  const int t = threadIdx.x;
  fill(tile, 4 * 64, in);
  float sum = 0.0f;
#pragma unroll 1
  for (int row = 0; row <= t % 4; ++row) sum += tile[row * 64 + 2 * t];
  out[t] = sum;
}

// ---- Shared memory: 1 and 2 bytes per thread. ----

__global__ void shared_char(const float* in, float* out) {
  __shared__ char tile[32];
  const int t = threadIdx.x;
  tile[t] = reinterpret_cast<const char*>(in)[t];
  __syncthreads();
  reinterpret_cast<char*>(out)[t] = tile[31 - t];
}

__global__ void shared_char_stride_4(const float* in, float* out) {
  __shared__ char tile[4 * 32];
  const int t = threadIdx.x;
  tile[4 * t] = reinterpret_cast<const char*>(in)[t];
  __syncthreads();
  reinterpret_cast<char*>(out)[t] = tile[4 * (31 - t)];
}

__global__ void shared_short(const float* in, float* out) {
  __shared__ short tile[32];
  const int t = threadIdx.x;
  tile[t] = reinterpret_cast<const short*>(in)[t];
  __syncthreads();
  reinterpret_cast<short*>(out)[t] = tile[31 - t];
}

__global__ void shared_short_stride_4(const float* in, float* out) {
  __shared__ short tile[4 * 32];
  const int t = threadIdx.x;
  tile[4 * t] = reinterpret_cast<const short*>(in)[t];
  __syncthreads();
  reinterpret_cast<short*>(out)[t] = tile[4 * (31 - t)];
}

// ---- Shared memory, 4 bytes per thread: loads of words that several lanes share. ----

__global__ void shared_uniform(const float* in, float* out) {
  __shared__ float tile[32];
  const int t = threadIdx.x;
  fill(tile, 32, in);
  out[t] = tile[5];
}

__global__ void shared_two_words_of_one_bank(const float* in, float* out) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  fill(tile, 64, in);
  out[t] = tile[t % 2 * 32 + 5];
}

__global__ void shared_half_warp_uniform(const float* in, float* out) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  fill(tile, 64, in);
  out[t] = tile[t / 16];
}

__global__ void shared_half_warp_uniform_one_bank(const float* in, float* out) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  fill(tile, 64, in);
  out[t] = tile[t / 16 * 32];
}

// ---- Shared memory, 8 bytes per thread. ----

__global__ void shared_8_consecutive(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  tile[t] = as_float2(in)[t];
  __syncthreads();
  as_float2(out)[t] = tile[31 - t];
}

__global__ void shared_8_stride_2(const float* in, float* out) {
  __shared__ float2 tile[2 * 32];
  const int t = threadIdx.x;
  tile[2 * t] = as_float2(in)[t];
  __syncthreads();
  as_float2(out)[t] = tile[2 * (31 - t)];
}

__global__ void shared_8_stride_4(const float* in, float* out) {
  __shared__ float2 tile[4 * 32];
  const int t = threadIdx.x;
  tile[4 * t] = as_float2(in)[t];
  __syncthreads();
  as_float2(out)[t] = tile[4 * (31 - t)];
}

__global__ void shared_8_stride_16(const float* in, float* out) {
  __shared__ float2 tile[16 * 32];
  const int t = threadIdx.x;
  tile[16 * t] = as_float2(in)[t];
  __syncthreads();
  as_float2(out)[t] = tile[16 * (31 - t)];
}

__global__ void shared_8_stride_17(const float* in, float* out) {
  __shared__ float2 tile[17 * 32];
  const int t = threadIdx.x;
  tile[17 * t] = as_float2(in)[t];
  __syncthreads();
  as_float2(out)[t] = tile[17 * (31 - t)];
}

__global__ void shared_8_every_third_lane(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  if (t % 3 == 0) tile[t] = as_float2(in)[t];
  __syncthreads();
  if (t % 3 == 0) as_float2(out)[t] = tile[t];
}

__global__ void shared_8_first_half_warp(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  if (t < 16) tile[t] = as_float2(in)[t];
  __syncthreads();
  if (t < 16) as_float2(out)[t] = tile[15 - t];
}

__global__ void shared_8_one_thread(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  if (t == 9) tile[t] = as_float2(in)[t];
  __syncthreads();
  if (t == 9) as_float2(out)[t] = tile[t];
}

__global__ void shared_double(const float* in, float* out) {
  __shared__ double tile[32];
  const int t = threadIdx.x;
  tile[t] = reinterpret_cast<const double*>(in)[t];
  __syncthreads();
  reinterpret_cast<double*>(out)[t] = tile[31 - t];
}

__global__ void shared_8_uniform(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 64, in);
  as_float2(out)[t] = tile[5];
}

__global__ void shared_8_half_warp_uniform(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 64, in);
  as_float2(out)[t] = tile[t / 16];
}

__global__ void shared_8_half_warp_uniform_one_bank(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 64, in);
  as_float2(out)[t] = tile[t / 16 * 16];
}

__global__ void shared_8_quarter_warp_uniform(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 64, in);
  as_float2(out)[t] = tile[t / 8];
}

__global__ void shared_8_quarter_warp_uniform_one_bank(const float* in, float* out) {
  __shared__ float2 tile[64];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float2(out)[t] = tile[t / 8 * 16];
}

__global__ void shared_8_quarter_warps_alike(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 64, in);
  as_float2(out)[t] = tile[t % 8];
}

__global__ void shared_8_half_warps_alike(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 64, in);
  as_float2(out)[t] = tile[t % 16];
}

__global__ void shared_8_alternating(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 64, in);
  as_float2(out)[t] = tile[t % 2];
}

__global__ void shared_8_alternating_one_bank(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 64, in);
  as_float2(out)[t] = tile[t % 2 * 16];
}

__global__ void shared_8_pairs(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 64, in);
  as_float2(out)[t] = tile[t / 2];
}

// Two lanes per address in the first half warp; in the second, quarter warps alike. 32 words in all.
__global__ void shared_8_pairs_in_first_half(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 64, in);
  const int pair = t / 2, in_quarter = t % 8;
  as_float2(out)[t] = tile[t < 16 ? pair : 8 + in_quarter];
}

// Lane i shares its address with i ^ 1 in the first half warp, with i ^ 2 in the second.
__global__ void shared_8_pairs_by_1_and_by_2(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 64, in);
  const int by_1 = t / 2, by_2 = t % 2 + t % 16 / 4 * 2;
  as_float2(out)[t] = tile[t < 16 ? by_1 : 8 + by_2];
}

// ---- Shared memory, 16 bytes per thread. ----

__global__ void shared_16_consecutive(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  tile[t] = as_float4(in)[t];
  __syncthreads();
  as_float4(out)[t] = tile[t];
}

__global__ void shared_16_reversed(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  tile[31 - t] = as_float4(in)[t];
  __syncthreads();
  as_float4(out)[t] = tile[31 - t];
}

__global__ void shared_16_stride_2(const float* in, float* out) {
  __shared__ float4 tile[2 * 32];
  const int t = threadIdx.x;
  tile[2 * t] = as_float4(in)[t];
  __syncthreads();
  as_float4(out)[t] = tile[2 * (31 - t)];
}

// Rows of 64 floats, one per thread.
__global__ void shared_16_rows_of_64(const float* in, float* out) {
  __shared__ float4 tile[16 * 32];
  const int t = threadIdx.x;
  tile[16 * t] = as_float4(in)[t];
  __syncthreads();
  as_float4(out)[t] = tile[16 * (31 - t)];
}

// The same, padded by 4 floats.
__global__ void shared_16_rows_of_68(const float* in, float* out) {
  __shared__ float4 tile[17 * 32];
  const int t = threadIdx.x;
  tile[17 * t] = as_float4(in)[t];
  __syncthreads();
  as_float4(out)[t] = tile[17 * (31 - t)];
}

__global__ void shared_16_every_third_lane(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  if (t % 3 == 0) tile[t] = as_float4(in)[t];
  __syncthreads();
  if (t % 3 == 0) as_float4(out)[t] = tile[t];
}

__global__ void shared_16_first_quarter_warp(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  if (t < 8) tile[t] = as_float4(in)[t];
  __syncthreads();
  if (t < 8) as_float4(out)[t] = tile[7 - t];
}

// One lane of each quarter warp, all on the same banks.
__global__ void shared_16_one_lane_of_each_quarter(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  if (t % 8 == 3) tile[t] = as_float4(in)[t];
  __syncthreads();
  if (t % 8 == 3) as_float4(out)[t] = tile[t];
}

__global__ void shared_16_one_thread(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  if (t == 9) tile[t] = as_float4(in)[t];
  __syncthreads();
  if (t == 9) as_float4(out)[t] = tile[t];
}

__global__ void shared_16_48_threads(const float* in, float* out) {
  __shared__ float4 tile[48];
  const int t = threadIdx.x;
  tile[t] = as_float4(in)[t];
  __syncthreads();
  as_float4(out)[t] = tile[47 - t];
}

__global__ void shared_16_uniform(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[5];
}

__global__ void shared_16_half_warp_uniform(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[t / 16];
}

__global__ void shared_16_half_warp_uniform_one_bank(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[t / 16 * 8];
}

__global__ void shared_16_quarter_warp_uniform(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[t / 8];
}

__global__ void shared_16_quarter_warp_uniform_one_bank(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[t / 8 * 8];
}

__global__ void shared_16_quarter_warps_alike(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[t % 8];
}

__global__ void shared_16_half_warps_alike(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[t % 16];
}

__global__ void shared_16_alternating(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[t % 2];
}

__global__ void shared_16_alternating_one_bank(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[t % 2 * 8];
}

__global__ void shared_16_four_alternating(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[t % 4];
}

__global__ void shared_16_pairs(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[t / 2];
}

// Four lanes per address: eight neighbouring rows of 64 floats, as 4 x 8 threads read a tile.
__global__ void shared_16_rows_of_64_by_quads(const float* in, float* out) {
  __shared__ float4 tile[16 * 8];
  const int t = threadIdx.x;
  fill(&tile[0].x, 512, in);
  as_float4(out)[t] = tile[16 * (t / 4)];
}

__global__ void shared_16_uniform_first_half(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[t < 16 ? 5 : t];
}

__global__ void shared_16_uniform_second_half(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  as_float4(out)[t] = tile[t < 16 ? t : 5];
}

// Two lanes per address in the first and third quarter warp; in the others, halves alike. 32 words per half warp.
__global__ void shared_16_pairs_in_every_other_quarter(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  const int pair = t % 8 / 2, in_half = t % 4;
  as_float4(out)[t] = tile[t / 16 * 8 + (t % 16 < 8 ? pair : 4 + in_half)];
}

// Lane i shares its address with i ^ 1 in the first and third quarter warp, with i ^ 2 in the others.
__global__ void shared_16_pairs_by_1_and_by_2(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  const int by_1 = t % 8 / 2, by_2 = t % 2 + t % 8 / 4 * 2;
  as_float4(out)[t] = tile[t / 16 * 8 + (t % 16 < 8 ? by_1 : 4 + by_2)];
}

// Lane i shares its address with i ^ 1 in the first half warp, with i ^ 2 in the second.
__global__ void shared_16_half_warps_by_1_and_by_2(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  fill(&tile[0].x, 128, in);
  const int by_1 = t / 2, by_2 = t % 2 + t % 16 / 4 * 2;
  as_float4(out)[t] = tile[t < 16 ? by_1 : 8 + by_2];
}

// ---- Shared memory: stores by several lanes to one address, of the same value. ----

__global__ void shared_uniform_store(const float* in, float* out) {
  __shared__ float tile[32];
  const int t = threadIdx.x;
  tile[5] = in[3];
  __syncthreads();
  out[t] = tile[5];
}

__global__ void shared_8_uniform_store(const float* in, float* out) {
  __shared__ float2 tile[32];
  const int t = threadIdx.x;
  tile[5] = as_float2(in)[3];
  __syncthreads();
  as_float2(out)[t] = tile[5];
}

__global__ void shared_16_uniform_store(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  tile[5] = as_float4(in)[3];
  __syncthreads();
  as_float4(out)[t] = tile[5];
}

__global__ void shared_16_pairs_store(const float* in, float* out) {
  __shared__ float4 tile[32];
  const int t = threadIdx.x;
  tile[t / 2] = as_float4(in)[t / 2];
  __syncthreads();
  as_float4(out)[t] = tile[t / 2];
}

// ---- Shared atomics. ----

__global__ void shared_atomic_distinct(const float* in, float* out) {
  __shared__ int bins[32];
  const int t = threadIdx.x;
  bins[t] = t;
  __syncthreads();
  atomicAdd(&bins[31 - t], as_int(in)[t]);
  __syncthreads();
  as_int(out)[t] = bins[t];
}

__global__ void shared_atomic_uniform(const float* in, float* out) {
  __shared__ int bins[32];
  const int t = threadIdx.x;
  bins[t] = t;
  __syncthreads();
  atomicAdd(&bins[5], as_int(in)[t]);
  __syncthreads();
  as_int(out)[t] = bins[t];
}

__global__ void shared_atomic_uniform_one(const float* in, float* out) {
  __shared__ int bins[32];
  const int t = threadIdx.x;
  bins[t] = as_int(in)[t];
  __syncthreads();
  atomicAdd(&bins[5], 1);
  __syncthreads();
  as_int(out)[t] = bins[t];
}

__global__ void shared_atomic_stride_2(const float* in, float* out) {
  __shared__ int bins[64];
  const int t = threadIdx.x;
  bins[2 * t] = t;
  __syncthreads();
  atomicAdd(&bins[2 * (31 - t)], as_int(in)[t]);
  __syncthreads();
  as_int(out)[t] = bins[2 * t];
}

__global__ void shared_atomic_returned(const float* in, float* out) {
  __shared__ int bins[32];
  const int t = threadIdx.x;
  bins[t] = t;
  __syncthreads();
  as_int(out)[t] = atomicAdd(&bins[31 - t], as_int(in)[t]);
}

// A GPU has no such instruction: it loads, adds and compares until it succeeds.
__global__ void shared_atomic_float(const float* in, float* out) {
  __shared__ float bins[32];
  const int t = threadIdx.x;
  bins[t] = in[t];
  __syncthreads();
  atomicAdd(&bins[31 - t], in[t]);
  __syncthreads();
  out[t] = bins[t];
}

// 2 blocks of 128 threads, 4 numbers per thread, 32 bins per block, then one global add per bin.
__global__ void shared_histogram(const float* in, float* out) {
  __shared__ int bins[32];
  if (threadIdx.x < 32) bins[threadIdx.x] = 0;
  __syncthreads();
  const int first = blockIdx.x * blockDim.x + threadIdx.x;
#pragma unroll 1
  for (int i = first; i < 1024; i += gridDim.x * blockDim.x)
    atomicAdd(&bins[static_cast<int>(in[i]) % 32], 1);
  __syncthreads();
  if (threadIdx.x < 32) atomicAdd(&as_int(out)[threadIdx.x], bins[threadIdx.x]);
}

// ---- Whole algorithms. ----

// 32 x 8 threads transpose one tile of 32 x 32.
__global__ void transpose_unpadded(const float* in, float* out) {
  __shared__ float tile[32][32];
  const int x = threadIdx.x;
#pragma unroll 1
  for (int y = threadIdx.y; y < 32; y += 8) tile[y][x] = in[y * 32 + x];
  __syncthreads();
#pragma unroll 1
  for (int y = threadIdx.y; y < 32; y += 8) out[y * 32 + x] = tile[x][y];
}

__global__ void transpose_padded(const float* in, float* out) {
  __shared__ float tile[32][33];
  const int x = threadIdx.x;
#pragma unroll 1
  for (int y = threadIdx.y; y < 32; y += 8) tile[y][x] = in[y * 32 + x];
  __syncthreads();
#pragma unroll 1
  for (int y = threadIdx.y; y < 32; y += 8) out[y * 32 + x] = tile[x][y];
}

// 32 x 32 matrices, 2 x 2 blocks of 16 x 16 threads.
__global__ void matmul_tiled(const float* in, float* out) {
  __shared__ float a_tile[16][16];
  __shared__ float b_tile[16][16];
  const float* const a = in;
  const float* const b = in + 1024;
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * 16 + ty, column = blockIdx.x * 16 + tx;
  float sum = 0.0f;
#pragma unroll 1
  for (int first = 0; first < 32; first += 16) {
    a_tile[ty][tx] = a[row * 32 + first + tx];
    b_tile[ty][tx] = b[(first + ty) * 32 + column];
    __syncthreads();
#pragma unroll 1
    for (int k = 0; k < 16; ++k) sum += a_tile[ty][k] * b_tile[k][tx];
    __syncthreads();
  }
  out[row * 32 + column] = sum;
}

// 256 threads.
__global__ void tree_reduction(const float* in, float* out) {
  __shared__ float partial[256];
  const int t = threadIdx.x;
  partial[t] = in[t];
  __syncthreads();
#pragma unroll 1
  for (int half = 128; half > 0; half /= 2) {
    if (t < half) partial[t] += partial[t + half];
    __syncthreads();
  }
  if (t == 0) out[0] = partial[0];
}

__global__ void warp_reduction_by_shuffles(const float* in, float* out) {
  const int t = threadIdx.x;
  float sum = in[t];
  for (int distance = 16; distance > 0; distance /= 2)
    sum += __shfl_xor_sync(kFullWarp, sum, distance);
  out[t] = sum;
}

__global__ void warp_votes(const float* in, float* out) {
  const int t = threadIdx.x;
  const float number = in[t];
  const unsigned large = __ballot_sync(kFullWarp, number > 2000.0f);
  const int any = __any_sync(kFullWarp, number > 4000.0f);
  as_int(out)[t] = static_cast<int>(large) + any;
}

// A neighbour's word through shared memory, __syncwarp() in between.
__global__ void warp_exchange(const float* in, float* out) {
  __shared__ float tile[32];
  const int t = threadIdx.x;
  tile[t] = in[t];
  __syncwarp();
  out[t] = tile[t ^ 1];
}

__global__ void exponentials(const float* in, float* out) {
  const int t = threadIdx.x;
  out[t] = expf(in[t] * -0.001f);
}

// Lesson 01's solution: N = 128, d = 32, one head; 2 blocks of 64 threads.
cudaError_t run_lesson_01(const float* in, float* out) {
  const AttentionShape shape = {1, 1, 1, 128, 128, 32};
  return attention_forward(in, in + 4096, in + 8192, out, nullptr, shape, 1.0e-6f, false, nullptr);
}

struct MicroKernel {
  const char* name;
  void (*kernel)(const float* in, float* out);  // null: the lesson's
  dim3 grid = dim3(1);
  dim3 block = dim3(32);
  size_t dynamic_shared = 0;
};

#define KERNEL(name) #name, name

const MicroKernel kKernels[] = {
    {KERNEL(global_coalesced)},
    {KERNEL(global_offset_1)},
    {KERNEL(global_offset_2)},
    {KERNEL(global_offset_4)},
    {KERNEL(global_offset_8)},
    {KERNEL(global_stride_2)},
    {KERNEL(global_stride_4)},
    {KERNEL(global_stride_8)},
    {KERNEL(global_stride_16)},
    {KERNEL(global_stride_32)},
    {KERNEL(global_broadcast)},
    {KERNEL(global_half_warp_broadcast)},
    {KERNEL(global_reversed)},
    {KERNEL(global_permuted)},
    {KERNEL(global_random_gather)},
    {KERNEL(global_every_third_lane)},
    {KERNEL(global_one_thread)},
    {KERNEL(global_returned_lanes)},
    {KERNEL(global_48_threads), 1, 48},
    {KERNEL(global_block_2d), 1, dim3(16, 4)},
    {KERNEL(global_block_2d_ragged), 1, dim3(12, 5)},
    {KERNEL(global_four_blocks), 4, 64},
    {KERNEL(global_columns)},
    {KERNEL(global_rows)},
    {KERNEL(global_uneven_trips)},
    {KERNEL(global_float2)},
    {KERNEL(global_float2_stride_2)},
    {KERNEL(global_float3_by_member)},
    {KERNEL(global_float4)},
    {KERNEL(global_float4_offset_1)},
    {KERNEL(global_float4_reversed)},
    {KERNEL(global_float4_uniform)},
    {KERNEL(global_float4_one_thread)},
    {KERNEL(global_float4_48_threads), 1, 48},
    {KERNEL(global_float4_rows)},
    {KERNEL(global_double)},
    {KERNEL(global_double2)},
    {KERNEL(global_char)},
    {KERNEL(global_short)},
    {KERNEL(global_int4_in_struct)},
    {KERNEL(global_atomic_distinct)},
    {KERNEL(global_atomic_uniform)},
    {KERNEL(global_atomic_float_uniform)},
    {KERNEL(global_atomic_stride_8)},
    {KERNEL(global_atomic_returned)},
    {KERNEL(global_histogram), 2, 128},
    {KERNEL(shared_consecutive)},
    {KERNEL(shared_stride_2)},
    {KERNEL(shared_stride_4)},
    {KERNEL(shared_stride_8)},
    {KERNEL(shared_stride_16)},
    {KERNEL(shared_stride_32)},
    {KERNEL(shared_stride_33)},
    {KERNEL(shared_permuted)},
    {KERNEL(shared_every_third_lane)},
    {KERNEL(shared_one_thread)},
    {KERNEL(shared_48_threads), 1, 48},
    {KERNEL(shared_dynamic), 1, 32, 64 * sizeof(float)},
    {KERNEL(shared_uneven_trips)},
    {KERNEL(shared_char)},
    {KERNEL(shared_char_stride_4)},
    {KERNEL(shared_short)},
    {KERNEL(shared_short_stride_4)},
    {KERNEL(shared_uniform)},
    {KERNEL(shared_two_words_of_one_bank)},
    {KERNEL(shared_half_warp_uniform)},
    {KERNEL(shared_half_warp_uniform_one_bank)},
    {KERNEL(shared_8_consecutive)},
    {KERNEL(shared_8_stride_2)},
    {KERNEL(shared_8_stride_4)},
    {KERNEL(shared_8_stride_16)},
    {KERNEL(shared_8_stride_17)},
    {KERNEL(shared_8_every_third_lane)},
    {KERNEL(shared_8_first_half_warp)},
    {KERNEL(shared_8_one_thread)},
    {KERNEL(shared_double)},
    {KERNEL(shared_8_uniform)},
    {KERNEL(shared_8_half_warp_uniform)},
    {KERNEL(shared_8_half_warp_uniform_one_bank)},
    {KERNEL(shared_8_quarter_warp_uniform)},
    {KERNEL(shared_8_quarter_warp_uniform_one_bank)},
    {KERNEL(shared_8_quarter_warps_alike)},
    {KERNEL(shared_8_half_warps_alike)},
    {KERNEL(shared_8_alternating)},
    {KERNEL(shared_8_alternating_one_bank)},
    {KERNEL(shared_8_pairs)},
    {KERNEL(shared_8_pairs_in_first_half)},
    {KERNEL(shared_8_pairs_by_1_and_by_2)},
    {KERNEL(shared_16_consecutive)},
    {KERNEL(shared_16_reversed)},
    {KERNEL(shared_16_stride_2)},
    {KERNEL(shared_16_rows_of_64)},
    {KERNEL(shared_16_rows_of_68)},
    {KERNEL(shared_16_every_third_lane)},
    {KERNEL(shared_16_first_quarter_warp)},
    {KERNEL(shared_16_one_lane_of_each_quarter)},
    {KERNEL(shared_16_one_thread)},
    {KERNEL(shared_16_48_threads), 1, 48},
    {KERNEL(shared_16_uniform)},
    {KERNEL(shared_16_half_warp_uniform)},
    {KERNEL(shared_16_half_warp_uniform_one_bank)},
    {KERNEL(shared_16_quarter_warp_uniform)},
    {KERNEL(shared_16_quarter_warp_uniform_one_bank)},
    {KERNEL(shared_16_quarter_warps_alike)},
    {KERNEL(shared_16_half_warps_alike)},
    {KERNEL(shared_16_alternating)},
    {KERNEL(shared_16_alternating_one_bank)},
    {KERNEL(shared_16_four_alternating)},
    {KERNEL(shared_16_pairs)},
    {KERNEL(shared_16_rows_of_64_by_quads)},
    {KERNEL(shared_16_uniform_first_half)},
    {KERNEL(shared_16_uniform_second_half)},
    {KERNEL(shared_16_pairs_in_every_other_quarter)},
    {KERNEL(shared_16_pairs_by_1_and_by_2)},
    {KERNEL(shared_16_half_warps_by_1_and_by_2)},
    {KERNEL(shared_uniform_store)},
    {KERNEL(shared_8_uniform_store)},
    {KERNEL(shared_16_uniform_store)},
    {KERNEL(shared_16_pairs_store)},
    {KERNEL(shared_atomic_distinct)},
    {KERNEL(shared_atomic_uniform)},
    {KERNEL(shared_atomic_uniform_one)},
    {KERNEL(shared_atomic_stride_2)},
    {KERNEL(shared_atomic_returned)},
    {KERNEL(shared_atomic_float)},
    {KERNEL(shared_histogram), 2, 128},
    {KERNEL(transpose_unpadded), 1, dim3(32, 8)},
    {KERNEL(transpose_padded), 1, dim3(32, 8)},
    {KERNEL(matmul_tiled), dim3(2, 2), dim3(16, 16)},
    {KERNEL(tree_reduction), 1, 256},
    {KERNEL(warp_reduction_by_shuffles)},
    {KERNEL(warp_votes)},
    {KERNEL(warp_exchange)},
    {KERNEL(exponentials)},
    {"naive_attention_kernel", nullptr},
};

cudaError_t launch(const MicroKernel& entry, const float* in, float* out) {
  if (entry.kernel == nullptr) return run_lesson_01(in, out);
  entry.kernel<<<entry.grid, entry.block, entry.dynamic_shared>>>(in, out);
  return cudaGetLastError();
}

cudaError_t run_with_data(const MicroKernel& entry, float* in, float* out) {
  std::vector<float> numbers(kFloats);
  for (unsigned i = 0; i < kFloats; ++i)
    numbers[i] = static_cast<float>((i + 1) * 2654435761u >> 20);
  CUDA_RETURN_IF_ERROR(
      cudaMemcpy(in, numbers.data(), kFloats * sizeof(float), cudaMemcpyHostToDevice));
  CUDA_RETURN_IF_ERROR(cudaMemset(out, 0, kFloats * sizeof(float)));
  CUDA_RETURN_IF_ERROR(launch(entry, in, out));
  return cudaDeviceSynchronize();
}

}  // namespace

extern "C" const char* const* micro_kernel_names(void) {
  static const std::vector<const char*> names = [] {
    std::vector<const char*> all;
    for (const MicroKernel& entry : kKernels) all.push_back(entry.name);
    all.push_back(nullptr);
    return all;
  }();
  return names.data();
}

extern "C" int run_micro_kernel(const char* name) {
  for (const MicroKernel& entry : kKernels) {
    if (std::strcmp(name, entry.name) != 0) continue;
    float *in = nullptr, *out = nullptr;
    cudaError_t error = cudaMalloc(&in, kFloats * sizeof(float));
    if (error == cudaSuccess) error = cudaMalloc(&out, kFloats * sizeof(float));
    if (error == cudaSuccess) error = run_with_data(entry, in, out);
    const cudaError_t freed_in = cudaFree(in), freed_out = cudaFree(out);
    if (error == cudaSuccess) error = freed_in != cudaSuccess ? freed_in : freed_out;
    return error;
  }
  return cudaErrorInvalidValue;
}
