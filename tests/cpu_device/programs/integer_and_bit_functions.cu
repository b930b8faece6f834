// Bit counting, bit casts, integer min and max with mixed types, 24-bit and high products; host
// loops are the reference.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstring>

#include "check.h"

constexpr int kResults = 20;

__global__ void evaluate(const unsigned* in, long long* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const unsigned x = in[i];
  const unsigned long long wide = (static_cast<unsigned long long>(x) << 32) | ~x;
  const int s = static_cast<int>(x);
  long long* r = out + i * kResults;
  r[0] = __popc(x);
  r[1] = __ffs(x);
  r[2] = __clz(x);
  r[3] = __brev(x);
  r[4] = __popcll(wide);
  r[5] = __ffsll(wide);
  r[6] = __clzll(wide);
  r[7] = __mul24(s & 0xffff, 77);
  r[8] = __umul24(x & 0xffff, 99);
  r[9] = __mulhi(s, 1000003);
  r[10] = __umulhi(x, 1000003u);
  r[11] = __float_as_int(__int_as_float(s & 0x7f7fffff));
  r[12] = static_cast<long long>(__float_as_uint(__uint_as_float(x & 0x7f7fffffu) * 1.0f) >> 23);
  r[13] = min(s, 100) + max(s, -100);
  r[14] = min(x, 100u);
  r[15] = max(static_cast<long long>(s), 5ll);
  r[16] = min(x, 7);  // unsigned and int: compared as unsigned
  r[17] = abs(s / 2);
  r[18] = __sad(s / 4, 10, 5u);
  r[19] = __byte_perm(x, 0x01020304u, 0x5410);
}

int main() {
  std::vector<unsigned> in = {0,           1,           2,        3,          0x80000000u,
                              0xffffffffu, 0x00ff00ffu, 12345678, 0x7fffffffu};
  unsigned state = 99;
  while (in.size() < 200) in.push_back(state = state * 1664525u + 1013904223u);
  const int n = static_cast<int>(in.size());
  unsigned* d_in = upload(in);
  long long* d_out = upload(std::vector<long long>(n * kResults, -1));
  evaluate<<<2, 128>>>(d_in, d_out, n);
  CHECK_LAUNCH();
  std::vector<long long> out = download(d_out, n * kResults);
  for (int i = 0; i < n; ++i) {
    const unsigned x = in[i];
    const unsigned long long wide = (static_cast<unsigned long long>(x) << 32) | ~x;
    const int s = static_cast<int>(x);
    int ones = 0, first = 0, leading = 32, wide_ones = 0, wide_first = 0, wide_leading = 64;
    unsigned reversed = 0;
    for (int b = 0; b < 32; ++b) {
      if (x >> b & 1) {
        ++ones;
        if (first == 0) first = b + 1;
        leading = 31 - b;
        reversed |= 1u << (31 - b);
      }
    }
    for (int b = 0; b < 64; ++b) {
      if (wide >> b & 1) {
        ++wide_ones;
        if (wide_first == 0) wide_first = b + 1;
        wide_leading = 63 - b;
      }
    }
    const unsigned tame = x & 0x7f7fffffu;  // finite floats; denormals keep their exponent of 0
    const unsigned bytes = (x & 0xffffu) | 0x03040000u;
    const long long expected[kResults] = {
        ones,
        first,
        leading,
        reversed,
        wide_ones,
        wide_first,
        wide_leading,
        (s & 0xffff) * 77,
        (x & 0xffffll) * 99,
        static_cast<long long>(s) * 1000003 >> 32,
        static_cast<long long>(x * 1000003ull >> 32),
        s & 0x7f7fffff,
        tame >> 23,
        std::min(s, 100) + std::max(s, -100),
        std::min(x, 100u),
        std::max(static_cast<long long>(s), 5ll),
        std::min(x, 7u),
        std::abs(s / 2),
        std::abs(s / 4 - 10) + 5,
        bytes};
    for (int k = 0; k < kResults; ++k) {
      if (out[i * kResults + k] != expected[k]) std::printf("result %d of %u: ", k, x);
      CHECK_EQ(out[i * kResults + k], expected[k]);
    }
  }
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
