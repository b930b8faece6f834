// Structs, nested arrays and unions as static __shared__ objects, with volatile members and bit
// casts through unions and __float_as_uint.
#include <cuda_runtime.h>

#include <cstring>

#include "check.h"

struct Statistics {
  float minimum[4], maximum[4];
  int count;
  struct {
    double sum;
    unsigned char flags[3];
  } extra;
};

union Bits {
  float f;
  unsigned u;
  unsigned char bytes[4];
};

template <typename T, int ROWS, int COLS>
struct Tile {
  T data[ROWS][COLS];
  __device__ T& operator()(int r, int c) { return data[r][c]; }
};

__global__ void use(const float* in, Statistics* out, unsigned* bits, short* transposed) {
  __shared__ Statistics statistics;
  __shared__ Bits casts[64];
  __shared__ Tile<short, 8, 9> tile;
  const int tid = threadIdx.x;
  if (tid < 4) {
    statistics.minimum[tid] = INFINITY;
    statistics.maximum[tid] = -INFINITY;
  }
  if (tid == 0) {
    statistics.count = 0;
    statistics.extra.sum = 0.5;
    statistics.extra.flags[2] = 0x80;
  }
  __syncthreads();
  atomicAdd(&statistics.count, tid % 2);
  atomicAdd(&statistics.extra.sum, static_cast<double>(in[tid]));
  if (tid < 4) {
    for (int i = tid; i < 64; i += 4) {
      statistics.minimum[tid] = fminf(statistics.minimum[tid], in[i]);
      statistics.maximum[tid] = fmaxf(statistics.maximum[tid], in[i]);
    }
  }
  casts[tid].f = in[tid];
  tile(tid / 8, tid % 8) = static_cast<short>(tid);
  __syncthreads();
  Bits cast = casts[63 - tid];
  cast.bytes[3] ^= 0x80;  // flips the sign
  bits[tid] = cast.u ^ __float_as_uint(-in[63 - tid]);
  transposed[tid] = tile(tid % 8, tid / 8);
  if (tid == 0) *out = statistics;
}

int main() {
  std::vector<float> in(64);
  for (int i = 0; i < 64; ++i) in[i] = static_cast<float>((i * 37) % 64) - 20.0f;
  float* d_in = upload(in);
  Statistics* d_out = upload(std::vector<Statistics>(1));
  unsigned* d_bits = upload(std::vector<unsigned>(64, 1));
  short* d_transposed = upload(std::vector<short>(64, -1));
  use<<<1, 64>>>(d_in, d_out, d_bits, d_transposed);
  CHECK_LAUNCH();
  Statistics out = download(d_out, 1)[0];
  double sum = 0.5;
  for (int k = 0; k < 4; ++k) {
    float minimum = in[k], maximum = in[k];
    for (int i = k; i < 64; i += 4) {
      minimum = in[i] < minimum ? in[i] : minimum;
      maximum = in[i] > maximum ? in[i] : maximum;
      sum += in[i];
    }
    CHECK_EQ(out.minimum[k], minimum);
    CHECK_EQ(out.maximum[k], maximum);
  }
  CHECK_EQ(out.count, 32);
  CHECK_EQ(out.extra.sum, sum);
  CHECK_EQ(static_cast<int>(out.extra.flags[2]), 0x80);
  std::vector<unsigned> bits = download(d_bits, 64);
  std::vector<short> transposed = download(d_transposed, 64);
  for (int i = 0; i < 64; ++i) {
    CHECK_EQ(bits[i], 0u);
    CHECK_EQ(transposed[i], i % 8 * 8 + i / 8);
  }
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_out));
  CHECK_CUDA(cudaFree(d_bits));
  CHECK_CUDA(cudaFree(d_transposed));
  return check_result();
}
