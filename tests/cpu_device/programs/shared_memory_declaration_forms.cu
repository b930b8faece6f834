// The many ways of declaring shared memory: several names at once, nested scopes with one name,
// volatile and aligned, typedefs, multi-dimensional arrays, sizes from expressions, pointers kept
// in shared memory.
#include <cuda_runtime.h>

#include "check.h"

typedef float Row[8];
constexpr int kRows = 4;

template <int N>
__host__ __device__ constexpr int padded() {
  return N + (N % 2 == 0 ? 1 : 0);
}

__global__ void forms(int* out) {
  const int tid = threadIdx.x;
  __shared__ int a[64], b[64], scalar;
  volatile __shared__ int c[64];
  __shared__ volatile int d[64];
  __shared__ __align__(16) unsigned char bytes[64];
  alignas(32) __shared__ double wide[64];
  __shared__ Row rows[kRows];
  __shared__ int cube[2][4][padded<8>()];
  __shared__ int* pointer;
  __shared__ struct { int x, y; } pairs[64];
  a[tid] = tid;
  b[tid] = 2 * tid;
  c[tid] = 3 * tid;
  d[tid] = 4 * tid;
  bytes[tid] = static_cast<unsigned char>(tid);
  wide[tid] = 0.5 * tid;
  pairs[tid].x = tid;
  pairs[tid].y = -tid;
  cube[tid / 32][tid / 8 % 4][tid % 8] = tid;
  if (tid < 32) rows[tid / 8][tid % 8] = static_cast<float>(tid);
  if (tid == 0) {
    scalar = 1000;
    pointer = &b[32];
  }
  __syncthreads();
  const int j = 63 - tid;
  int sum = a[j] + b[j] + c[j] + d[j] + bytes[j] + static_cast<int>(2 * wide[j]);  // 12 j
  sum += pairs[j].x + pairs[j].y;                                                  // 0
  sum += cube[j / 32][j / 8 % 4][j % 8];                                           // j
  sum += static_cast<int>(rows[j % 32 / 8][j % 8]) - j % 32;                       // 0
  sum += scalar + pointer[tid % 32];  // 1064 + 2 (tid % 32)
  out[tid] = sum;
}

__global__ void scopes(int* out) {
  int sum = 0;
  for (int round = 0; round < 3; ++round) {
    __shared__ int value;  // one object, in every round
    if (threadIdx.x == 0) value = round + 1;
    __syncthreads();
    sum += value;
    __syncthreads();
  }
  if (sum == 6) {
    __shared__ int value;  // another one
    if (threadIdx.x == 31) value = 100;
    __syncthreads();
    sum += value;
  }
  {
    __shared__ float value[2];
    if (threadIdx.x < 2) value[threadIdx.x] = 1000.0f;
    __syncthreads();
    sum += static_cast<int>(value[0] + value[1]);
  }
  out[threadIdx.x] = sum;
}

template <typename T, int N>
struct Buffer {
  __device__ static T* get() {
    __shared__ T storage[N];
    return storage;
  }
};

__global__ void through_static_member(int* out) {
  int* ints = Buffer<int, 64>::get();
  double* doubles = Buffer<double, 64>::get();
  ints[threadIdx.x] = threadIdx.x;
  doubles[threadIdx.x] = 0.25;
  __syncthreads();
  out[threadIdx.x] = Buffer<int, 64>::get()[63 - threadIdx.x] +
                     static_cast<int>(4 * doubles[(threadIdx.x + 1) % 64]);
}

extern __shared__ float4 as_float4[];
__global__ void extern_forms(int* out) {
  extern __shared__ volatile int as_int[];
  extern __shared__ __align__(8) char as_char[];
  as_int[threadIdx.x] = threadIdx.x + 1;
  __syncthreads();
  const int4 bits = *reinterpret_cast<int4*>(&as_float4[threadIdx.x / 4]);
  out[threadIdx.x] = bits.x + bits.w + as_char[4 * threadIdx.x];
}

int main() {
  int* d_out = upload(std::vector<int>(64, -1));
  forms<<<1, 64>>>(d_out);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, 64);
  for (int i = 0; i < 64; ++i) CHECK_EQ(out[i], 13 * (63 - i) + 1064 + 2 * (i % 32));
  scopes<<<1, 32>>>(d_out);
  CHECK_LAUNCH();
  out = download(d_out, 32);
  for (int i = 0; i < 32; ++i) CHECK_EQ(out[i], 6 + 100 + 2000);
  through_static_member<<<1, 64>>>(d_out);
  CHECK_LAUNCH();
  out = download(d_out, 64);
  for (int i = 0; i < 64; ++i) CHECK_EQ(out[i], 63 - i + 1);
  extern_forms<<<1, 64, 64 * sizeof(int)>>>(d_out);
  CHECK_LAUNCH();
  out = download(d_out, 64);
  for (int i = 0; i < 64; ++i) CHECK_EQ(out[i], (i / 4 * 4 + 1) + (i / 4 * 4 + 4) + i + 1);
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
